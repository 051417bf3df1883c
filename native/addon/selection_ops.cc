#include <limits>

#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// Columns are numbered in int32.
void requireRank(OpCall& call, int64_t width, int64_t k, int index) {
  call.require(k <= width && width <= std::numeric_limits<int32_t>::max(), index, "k is larger than the row");
}

// topK(stream, values, columns, x, rows, width, k)
void topK(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), width = call.integer(5), k = call.integer(6);
  float* values = call.floats(1, OpCall::product({rows, k}));
  int32_t* columns = call.integers(2, OpCall::product({rows, k}));
  const float* x = call.floats(3, OpCall::product({rows, width}));
  requireRank(call, width, k, 6);
  if (call.failed() || width == 0) return;
  call.run(cpu::topK, cuda::topK, values, columns, x, rows, width, k);
}

// keepTopK(stream, out, x, rows, width, k)
void keepTopK(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), width = call.integer(4), k = call.integer(5);
  const int64_t count = OpCall::product({rows, width});
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  requireRank(call, width, k, 5);
  if (call.failed() || count == 0) return;
  call.run(cpu::keepTopK, cuda::keepTopK, out, x, rows, width, k);
}

// gather(stream, out, x, columns, rows, width, count): NaN for a column outside of the row
void gather(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), width = call.integer(5), count = call.integer(6);
  float* out = call.floats(1, OpCall::product({rows, count}));
  const float* x = call.floats(2, OpCall::product({rows, width}));
  const int32_t* columns = call.integers(3, count);
  if (call.failed() || count == 0) return;
  call.run(cpu::gather, cuda::gather, out, x, columns, rows, width, count);
}

}  // namespace

void exportSelectionOps(Napi::Object exports) {
  exportOp<topK>(exports, "topK");
  exportOp<keepTopK>(exports, "keepTopK");
  exportOp<gather>(exports, "gather");
}

}  // namespace persimmon
