#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// add(stream, out, a, b, count); sub and mul alike
template <auto onCpu, auto onGpu>
void binary(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(4);
  float* out = call.floats(1, count);
  const float* a = call.floats(2, count);
  const float* b = call.floats(3, count);
  if (call.failed()) return;
  if constexpr (onCpu == cpu::add) call.describeAs(AddRecord{out, a, b, count});
  call.run(onCpu, onGpu, out, a, b, count);
}

// addBroadcast(stream, out, a, b, rows, width, aCount, bCount): each count is rows * width, width or 1
template <auto onCpu, auto onGpu>
void broadcast(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), width = call.integer(5), aCount = call.integer(6),
                bCount = call.integer(7);
  const int64_t count = OpCall::product({rows, width});
  float* out = call.floats(1, count);
  const cpu::Spread a = {call.floats(2, aCount), aCount};
  const cpu::Spread b = {call.floats(3, bCount), bCount};
  const auto isSpread = [=](int64_t size) { return size == count || size == width || size == 1; };
  call.require(isSpread(aCount), 6, "an operand has all elements, one row or one number");
  call.require(isSpread(bCount), 7, "an operand has all elements, one row or one number");
  if (call.failed() || count == 0) return;
  call.run(onCpu, onGpu, out, a, b, rows, width);
}

// scale(stream, out, x, factor, count)
void scale(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const float factor = call.number(3);
  const int64_t count = call.integer(4);
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  if (call.failed()) return;
  call.run(cpu::scale, cuda::scale, out, x, factor, count);
}

}  // namespace

void exportArithmeticOps(Napi::Object exports) {
  exportOp<binary<cpu::add, cuda::add>>(exports, "add");
  exportOp<binary<cpu::sub, cuda::sub>>(exports, "sub");
  exportOp<binary<cpu::mul, cuda::mul>>(exports, "mul");
  exportOp<broadcast<cpu::addBroadcast, cuda::addBroadcast>>(exports, "addBroadcast");
  exportOp<broadcast<cpu::subBroadcast, cuda::subBroadcast>>(exports, "subBroadcast");
  exportOp<broadcast<cpu::mulBroadcast, cuda::mulBroadcast>>(exports, "mulBroadcast");
  exportOp<scale>(exports, "scale");
}

}  // namespace persimmon
