// A rank's communicator as an opaque JavaScript value.
#pragma once

#include <napi.h>

#include <memory>

#include "../core/communicator.h"

namespace persimmon {

Napi::Value communicatorHandle(Napi::Env env, std::shared_ptr<Communicator> communicator);
// The communicator behind a value, or nullptr with a pending exception.
std::shared_ptr<Communicator> communicatorFrom(Napi::Value value);

// localCommunicators(ranks), mpiCommunicator(stream, timeoutSeconds), ncclCommunicators(streams,
// timeoutSeconds), whyCommunicatorIsOver(communicator)
Napi::Value localCommunicators(const Napi::CallbackInfo& info);
Napi::Value mpiCommunicator(const Napi::CallbackInfo& info);
Napi::Value ncclCommunicators(const Napi::CallbackInfo& info);
Napi::Value whyCommunicatorIsOver(const Napi::CallbackInfo& info);

}  // namespace persimmon
