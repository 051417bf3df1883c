// The entry of the addon. src/native.ts declares and documents all of it.
#include <napi.h>

#include "../cuda/queue.h"
#include "buffer.h"
#include "instance.h"
#include "ops.h"
#include "plan_object.h"
#include "stream_object.h"

namespace persimmon {

namespace {

Napi::Value instructionSet(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), cpu::instructionSet());
}

Napi::Value setInstructionSet(const Napi::CallbackInfo& info) {
  const std::string name = info[0].ToString();
  return Napi::Boolean::New(info.Env(), cpu::setInstructionSet(name.c_str()));
}

Napi::Value gpuCount(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), cuda::Queue::gpuCount());
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  auto* instance = new Instance;
  instance->bufferConstructor = Napi::Persistent(Buffer::define(env));
  env.SetInstanceData(instance);
  exports.Set("Stream", StreamObject::define(env));
  exports.Set("Plan", PlanObject::define(env));
  exports.Set("instructionSet", Napi::Function::New<instructionSet>(env, "instructionSet"));
  exports.Set("setInstructionSet", Napi::Function::New<setInstructionSet>(env, "setInstructionSet"));
  exports.Set("gpuCount", Napi::Function::New<gpuCount>(env, "gpuCount"));
  exportArithmeticOps(exports);
  exportElementwiseOps(exports);
  exportMatrixOps(exports);
  exportAttentionOps(exports);
  exportSamplingOps(exports);
  exportSelectionOps(exports);
  exportReductionOps(exports);
  exportShapeOps(exports);
  exportConversionOps(exports);
  exportInterventionOps(exports);
  exportTransfer(exports);
  exportCommunicatorOps(exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(persimmon, initialize)

}  // namespace persimmon
