// What one JavaScript environment (main thread or worker) keeps of the addon.
#pragma once

#include <napi.h>

namespace persimmon {

struct Instance {
  Napi::FunctionReference bufferConstructor;
};

}  // namespace persimmon
