#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

using BinaryOp = void (*)(ThreadPool&, float*, const float*, const float*, int64_t);
using BroadcastOp = void (*)(ThreadPool&, float*, cpu::Spread, cpu::Spread, int64_t, int64_t);

// add(stream, out, a, b, count); sub and mul alike
template <BinaryOp op>
void binary(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(4);
  float* out = call.floats(1, count);
  const float* a = call.floats(2, count);
  const float* b = call.floats(3, count);
  if (call.failed()) return;
  call.enqueue([=](ThreadPool& pool) { op(pool, out, a, b, count); });
}

// addBroadcast(stream, out, a, b, rows, width, aCount, bCount): each count is rows * width, width or 1
template <BroadcastOp op>
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
  call.enqueue([=](ThreadPool& pool) { op(pool, out, a, b, rows, width); });
}

// scale(stream, out, x, factor, count)
void scale(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const float factor = call.number(3);
  const int64_t count = call.integer(4);
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  if (call.failed()) return;
  call.enqueue([=](ThreadPool& pool) { cpu::scale(pool, out, x, factor, count); });
}

}  // namespace

void exportArithmeticOps(Napi::Object exports) {
  exportOp<binary<cpu::add>>(exports, "add");
  exportOp<binary<cpu::sub>>(exports, "sub");
  exportOp<binary<cpu::mul>>(exports, "mul");
  exportOp<broadcast<cpu::addBroadcast>>(exports, "addBroadcast");
  exportOp<broadcast<cpu::subBroadcast>>(exports, "subBroadcast");
  exportOp<broadcast<cpu::mulBroadcast>>(exports, "mulBroadcast");
  exportOp<scale>(exports, "scale");
}

}  // namespace persimmon
