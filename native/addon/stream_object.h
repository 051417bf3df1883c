// The JavaScript object `Stream`: memory, transfers and the order of commands. The ops themselves are in
// ops_*.cc.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <string>

#include "../core/stream.h"

namespace persimmon {

class StreamObject : public Napi::ObjectWrap<StreamObject> {
 public:
  static Napi::Function define(Napi::Env env);
  // The stream behind a JavaScript value, or nullptr with a pending exception.
  static Stream* from(Napi::Value value);
  static std::shared_ptr<Stream> shared(Napi::Value value);

  explicit StreamObject(const Napi::CallbackInfo& info);
  void Finalize(Napi::BasicEnv env) override;

 private:
  struct PendingRead;
  struct Promised;

  Napi::Value allocate(const Napi::CallbackInfo& info);
  Napi::Value reserve(const Napi::CallbackInfo& info);
  Napi::Value mapFile(const Napi::CallbackInfo& info);
  void write(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value readSync(const Napi::CallbackInfo& info);
  Napi::Value startRead(const Napi::CallbackInfo& info);
  Napi::Value finishRead(const Napi::CallbackInfo& info);
  Promised promise(const Napi::CallbackInfo& info, size_t size, std::function<std::string(uint8_t*)> fill);
  void synchronize(const Napi::CallbackInfo& info);
  Napi::Value startGroup(const Napi::CallbackInfo& info);
  void endGroup(const Napi::CallbackInfo& info);
  void cancel(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);
  Napi::Value gpu(const Napi::CallbackInfo& info);
  Napi::Value graphs(const Napi::CallbackInfo& info);
  void setJoinsOps(const Napi::CallbackInfo& info);

  static void stop(void* object);

  std::shared_ptr<Stream> stream_;
  Napi::ThreadSafeFunction settle_;
  // Reads under way; while there are any, the event loop is kept alive.
  int pendingReads_ = 0;
  bool environmentEnded_ = false;
};

}  // namespace persimmon
