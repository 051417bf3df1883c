#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

using UnaryOp = void (*)(ThreadPool&, float*, const float*, int64_t);
using RowOp = void (*)(ThreadPool&, float*, const float*, int64_t, int64_t);

// reluSquared(stream, out, x, count), and the other activation functions alike
template <UnaryOp op>
void unary(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(3);
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  if (call.failed()) return;
  call.enqueue([=](ThreadPool& pool) { op(pool, out, x, count); });
}

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
  exportOp<unary<cpu::reluSquared>>(exports, "reluSquared");
  exportOp<unary<cpu::relu>>(exports, "relu");
  exportOp<unary<cpu::gelu>>(exports, "gelu");
  exportOp<unary<cpu::geluTanh>>(exports, "geluTanh");
  exportOp<unary<cpu::silu>>(exports, "silu");
  exportOp<unary<cpu::sigmoid>>(exports, "sigmoid");
  exportOp<unary<cpu::tanh>>(exports, "tanh");
  exportOp<rowOp<cpu::softmax>>(exports, "softmax");
  exportOp<rowOp<cpu::logSoftmax>>(exports, "logSoftmax");
}

}  // namespace persimmon
