#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// reluSquared(stream, out, x, count), and the other activation functions alike
template <auto onCpu, auto onGpu>
void unary(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(3);
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  if (call.failed()) return;
  if constexpr (onCpu == cpu::reluSquared) call.describeAs(ReluSquaredRecord{out, x, count});
  call.run(onCpu, onGpu, out, x, count);
}

// softmax(stream, out, x, rows, width), and logSoftmax alike
template <auto onCpu, auto onGpu>
void rowOp(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), width = call.integer(4);
  const int64_t count = OpCall::product({rows, width});
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  if (call.failed() || count == 0) return;
  call.run(onCpu, onGpu, out, x, rows, width);
}

}  // namespace

void exportElementwiseOps(Napi::Object exports) {
  exportOp<unary<cpu::reluSquared, cuda::reluSquared>>(exports, "reluSquared");
  exportOp<unary<cpu::relu, cuda::relu>>(exports, "relu");
  exportOp<unary<cpu::gelu, cuda::gelu>>(exports, "gelu");
  exportOp<unary<cpu::geluTanh, cuda::geluTanh>>(exports, "geluTanh");
  exportOp<unary<cpu::silu, cuda::silu>>(exports, "silu");
  exportOp<unary<cpu::sigmoid, cuda::sigmoid>>(exports, "sigmoid");
  exportOp<unary<cpu::tanh, cuda::tanh>>(exports, "tanh");
  exportOp<rowOp<cpu::softmax, cuda::softmax>>(exports, "softmax");
  exportOp<rowOp<cpu::logSoftmax, cuda::logSoftmax>>(exports, "logSoftmax");
}

}  // namespace persimmon
