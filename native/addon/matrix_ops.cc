#include <algorithm>
#include <limits>

#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// cpu::embedding for ids that may be outside of the table.
void rowsOfTable(ThreadPool& pool, float* out, cpu::Weight table, const int32_t* ids, int64_t tokens,
                 int64_t hidden, int64_t rows) {
  for (int64_t first = 0; first < tokens;) {
    int64_t last = first;
    while (last < tokens && ids[last] >= 0 && ids[last] < rows) ++last;
    cpu::embedding(pool, out + first * hidden, table, ids + first, last - first, hidden);
    for (first = last; first < tokens && (ids[first] < 0 || ids[first] >= rows); ++first) {
      std::fill_n(out + first * hidden, hidden, std::numeric_limits<float>::quiet_NaN());
    }
  }
}

// embedding(stream, out, table, scales | null, ids, tokens, hidden, rows): an id outside the table gives a
// row of NaN, never a read outside; int8 and int4 tables lie in tiles
void embedding(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t tokens = call.integer(5), hidden = call.integer(6), rows = call.integer(7);
  float* out = call.floats(1, OpCall::product({tokens, hidden}));
  const cpu::Weight table = call.matrix(2, 3, rows, hidden, cpu::WeightOrder::kTiles);
  const int32_t* ids = call.integers(4, tokens);
  if (call.failed()) return;
  call.run(rowsOfTable, cuda::embedding, out, table, ids, tokens, hidden, rows);
}

// linear(stream, out, x, weight, scales | null, bias | null, rows, inFeatures, outFeatures), and likewise
// linearByInput; scales [outFeatures] belong to an int8 weight, those of int4 lie as in cpu/scaled_weights.h
template <auto onCpu, auto onGpu, cpu::WeightOrder order>
void linear(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(6), inFeatures = call.integer(7), outFeatures = call.integer(8);
  float* out = call.floats(1, OpCall::product({rows, outFeatures}));
  const float* x = call.floats(2, OpCall::product({rows, inFeatures}));
  const cpu::Weight weight = call.matrix(3, 4, outFeatures, inFeatures, order);
  const cpu::Weight bias = call.optionalWeight(5, outFeatures);
  call.require(inFeatures < (int64_t{1} << 31), 7, "at most 2^31 - 1 inputs");
  if (call.failed()) return;
  call.describeAs(LinearRecord{out, x, weight, bias, rows, inFeatures, outFeatures, order});
  call.run(onCpu, onGpu, out, x, weight, bias, rows, inFeatures, outFeatures);
}

// linearWhere(stream, out, x, weight, bias | null, gate, rows, inFeatures, outFeatures)
void linearWhere(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(6), inFeatures = call.integer(7), outFeatures = call.integer(8);
  float* out = call.floats(1, OpCall::product({rows, outFeatures}));
  const float* x = call.floats(2, OpCall::product({rows, inFeatures}));
  const cpu::Weight weight = call.weight(3, OpCall::product({outFeatures, inFeatures}));
  const cpu::Weight bias = call.optionalWeight(4, outFeatures);
  const float* gate = call.floats(5, OpCall::product({rows, outFeatures}));
  call.require(outFeatures < (int64_t{1} << 31), 8, "at most 2^31 - 1 outputs");
  if (call.failed()) return;
  call.run(cpu::linearWhere, cuda::linearWhere, out, x, weight, bias, gate, rows, inFeatures, outFeatures);
}

// layerNorm(stream, out, x, weight, bias, rows, width, epsilon)
void layerNorm(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(5), width = call.integer(6);
  const float epsilon = call.number(7);
  const int64_t count = OpCall::product({rows, width});
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  const cpu::Weight weight = call.weight(3, width);
  const cpu::Weight bias = call.weight(4, width);
  if (call.failed() || count == 0) return;
  call.describeAs(LayerNormRecord{out, x, weight, bias, rows, width, epsilon});
  call.run(cpu::layerNorm, cuda::layerNorm, out, x, weight, bias, rows, width, epsilon);
}

// rmsNorm(stream, out, x, weight, rows, width, epsilon)
void rmsNorm(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), width = call.integer(5);
  const float epsilon = call.number(6);
  const int64_t count = OpCall::product({rows, width});
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  const cpu::Weight weight = call.weight(3, width);
  if (call.failed() || count == 0) return;
  call.run(cpu::rmsNorm, cuda::rmsNorm, out, x, weight, rows, width, epsilon);
}

// matmul(stream, out, a, b, batch, rows, inner, columns)
void matmul(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t batch = call.integer(4), rows = call.integer(5), inner = call.integer(6),
                columns = call.integer(7);
  const int64_t count = OpCall::product({batch, rows, columns});
  float* out = call.floats(1, count);
  const float* a = call.floats(2, OpCall::product({batch, rows, inner}));
  const float* b = call.floats(3, OpCall::product({batch, inner, columns}));
  call.require(count == 0 || (out != a && out != b), 1, "the result must have memory of its own");
  if (call.failed() || count == 0) return;
  call.run(cpu::matmul, cuda::matmul, out, a, b, batch, rows, inner, columns);
}

}  // namespace

void exportMatrixOps(Napi::Object exports) {
  exportOp<embedding>(exports, "embedding");
  exportOp<linear<cpu::linear, cuda::linear, cpu::WeightOrder::kTiles>>(exports, "linear");
  exportOp<linear<cpu::linearByInput, cuda::linearByInput, cpu::WeightOrder::kInputs>>(exports,
                                                                                       "linearByInput");
  exportOp<linearWhere>(exports, "linearWhere");
  exportOp<layerNorm>(exports, "layerNorm");
  exportOp<rmsNorm>(exports, "rmsNorm");
  exportOp<matmul>(exports, "matmul");
}

}  // namespace persimmon
