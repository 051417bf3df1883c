// The JavaScript object `Plan`: see native/core/plan.h.
#pragma once

#include <napi.h>

#include <memory>

#include "../core/plan.h"

namespace persimmon {

class PlanObject : public Napi::ObjectWrap<PlanObject> {
 public:
  static Napi::Function define(Napi::Env env);

  explicit PlanObject(const Napi::CallbackInfo& info);

 private:
  void begin(const Napi::CallbackInfo& info);
  Napi::Value end(const Napi::CallbackInfo& info);
  void replay(const Napi::CallbackInfo& info);
  void poison(const Napi::CallbackInfo& info);
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value joined(const Napi::CallbackInfo& info);
  Napi::Value bytes(const Napi::CallbackInfo& info);
  void release(const Napi::CallbackInfo& info);

  // The plan, or nullptr with a pending exception when it was released.
  Plan* alive(Napi::Env env);

  std::unique_ptr<Plan> plan_;
};

}  // namespace persimmon
