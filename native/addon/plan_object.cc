#include "plan_object.h"

#include "errors.h"
#include "stream_object.h"

namespace persimmon {

Napi::Function PlanObject::define(Napi::Env env) {
  return DefineClass(
      env, "Plan",
      {InstanceMethod<&PlanObject::begin>("begin"), InstanceMethod<&PlanObject::end>("end"),
       InstanceMethod<&PlanObject::replay>("replay"), InstanceMethod<&PlanObject::poison>("poison"),
       InstanceMethod<&PlanObject::describe>("describe"), InstanceMethod<&PlanObject::joined>("joined"),
       InstanceMethod<&PlanObject::bytes>("bytes"), InstanceMethod<&PlanObject::release>("release")});
}

// new Plan(stream)
PlanObject::PlanObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PlanObject>(info) {
  std::shared_ptr<Stream> stream = StreamObject::shared(info[0]);
  if (stream != nullptr) plan_ = std::make_unique<Plan>(std::move(stream));
}

Plan* PlanObject::alive(Napi::Env env) {
  if (plan_ == nullptr) throwCoded(env, "PLAN_RELEASED", "this plan was released");
  return plan_.get();
}

void PlanObject::begin(const Napi::CallbackInfo& info) {
  Plan* plan = alive(info.Env());
  if (plan != nullptr && !plan->begin()) {
    throwCoded(info.Env(), "PLAN_RECORDING", "another segment is being recorded on this stream");
  }
}

// end(): the number of ops in the segment
Napi::Value PlanObject::end(const Napi::CallbackInfo& info) {
  Plan* plan = alive(info.Env());
  if (plan == nullptr) return info.Env().Undefined();
  const int ops = plan->end();
  if (ops < 0) throwCoded(info.Env(), "PLAN_RECORDING", "this plan is not recording");
  return Napi::Number::New(info.Env(), ops);
}

// replay(segment)
void PlanObject::replay(const Napi::CallbackInfo& info) {
  Plan* plan = alive(info.Env());
  if (plan == nullptr) return;
  const double segment = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : -1;
  if (!(segment >= 0 && segment < 1e9) || !plan->replay(static_cast<size_t>(segment))) {
    throwCoded(info.Env(), "NATIVE_BOUNDS", "a plan has no such segment that could be replayed");
  }
}

void PlanObject::poison(const Napi::CallbackInfo& info) {
  Plan* plan = alive(info.Env());
  if (plan != nullptr) plan->poison();
}

// describe(): for each segment, its ops
Napi::Value PlanObject::describe(const Napi::CallbackInfo& info) {
  Plan* plan = alive(info.Env());
  if (plan == nullptr) return info.Env().Undefined();
  Napi::Array segments = Napi::Array::New(info.Env());
  for (const auto& segment : plan->segments()) {
    Napi::Array ops = Napi::Array::New(info.Env());
    for (const std::string& description : segment->descriptions) {
      ops.Set(ops.Length(), Napi::String::New(info.Env(), description));
    }
    segments.Set(segments.Length(), ops);
  }
  return segments;
}

// joined(): for each segment, the ops that a GPU does in one kernel, as [first, count]
Napi::Value PlanObject::joined(const Napi::CallbackInfo& info) {
  Plan* plan = alive(info.Env());
  if (plan == nullptr) return info.Env().Undefined();
  Napi::Array segments = Napi::Array::New(info.Env());
  for (const auto& segment : plan->segments()) {
    Napi::Array groups = Napi::Array::New(info.Env());
    for (const JoinedOps& joined : segment->joined) {
      Napi::Array group = Napi::Array::New(info.Env(), 2);
      group.Set(uint32_t{0}, static_cast<double>(joined.first));
      group.Set(uint32_t{1}, static_cast<double>(joined.count));
      groups.Set(groups.Length(), group);
    }
    segments.Set(segments.Length(), groups);
  }
  return segments;
}

// bytes(): memory of the plan's arena
Napi::Value PlanObject::bytes(const Napi::CallbackInfo& info) {
  Plan* plan = alive(info.Env());
  if (plan == nullptr) return info.Env().Undefined();
  const ArenaStatistics statistics = plan->arena().statistics();
  return Napi::Number::New(info.Env(), static_cast<double>(statistics.bytesInUse + statistics.bytesCached));
}

void PlanObject::release(const Napi::CallbackInfo&) { plan_.reset(); }

}  // namespace persimmon
