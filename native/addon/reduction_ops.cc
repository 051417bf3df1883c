#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

using Reduction = void (*)(ThreadPool&, float*, const float*, int64_t, int64_t);

// sum(stream, out, x, rows, width); mean, max and min alike, but for a width of 0
template <Reduction op, bool kNeedsColumns>
void reduction(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), width = call.integer(4);
  float* out = call.floats(1, rows);
  const float* x = call.floats(2, OpCall::product({rows, width}));
  call.require(width > 0 || !kNeedsColumns, 4, "a row needs a column");
  if (call.failed()) return;
  call.enqueue([=](ThreadPool& pool) { op(pool, out, x, rows, width); });
}

}  // namespace

void exportReductionOps(Napi::Object exports) {
  exportOp<reduction<cpu::sumRows, false>>(exports, "sum");
  exportOp<reduction<cpu::meanRows, true>>(exports, "mean");
  exportOp<reduction<cpu::maxRows, true>>(exports, "max");
  exportOp<reduction<cpu::minRows, true>>(exports, "min");
}

}  // namespace persimmon
