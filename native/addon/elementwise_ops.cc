#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// add(stream, out, a, b, count)
void add(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(4);
  float* out = call.floats(1, count);
  const float* a = call.floats(2, count);
  const float* b = call.floats(3, count);
  if (call.failed()) return;
  call.enqueue([=](ThreadPool& pool) { cpu::add(pool, out, a, b, count); });
}

// reluSquared(stream, out, x, count)
void reluSquared(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(3);
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  if (call.failed()) return;
  call.enqueue([=](ThreadPool& pool) { cpu::reluSquared(pool, out, x, count); });
}

using RowOp = void (*)(ThreadPool&, float*, const float*, int64_t, int64_t);

// softmax(stream, out, x, rows, width), and logSoftmax alike
template <RowOp op>
void rowOp(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), width = call.integer(4);
  const int64_t count = OpCall::product({rows, width});
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  if (call.failed() || count == 0) return;
  call.enqueue([=](ThreadPool& pool) { op(pool, out, x, rows, width); });
}

}  // namespace

void exportElementwiseOps(Napi::Object exports) {
  exportOp<add>(exports, "add");
  exportOp<reluSquared>(exports, "reluSquared");
  exportOp<rowOp<cpu::softmax>>(exports, "softmax");
  exportOp<rowOp<cpu::logSoftmax>>(exports, "logSoftmax");
}

}  // namespace persimmon
