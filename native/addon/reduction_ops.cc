#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// sum(stream, out, x, rows, width); mean, max and min alike, but for a width of 0
template <auto onCpu, auto onGpu, bool kNeedsColumns>
void reduction(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), width = call.integer(4);
  float* out = call.floats(1, rows);
  const float* x = call.floats(2, OpCall::product({rows, width}));
  call.require(width > 0 || !kNeedsColumns, 4, "a row needs a column");
  if (call.failed()) return;
  call.run(onCpu, onGpu, out, x, rows, width);
}

}  // namespace

void exportReductionOps(Napi::Object exports) {
  exportOp<reduction<cpu::sumRows, cuda::sumRows, false>>(exports, "sum");
  exportOp<reduction<cpu::meanRows, cuda::meanRows, true>>(exports, "mean");
  exportOp<reduction<cpu::maxRows, cuda::maxRows, true>>(exports, "max");
  exportOp<reduction<cpu::minRows, cuda::minRows, true>>(exports, "min");
}

}  // namespace persimmon
