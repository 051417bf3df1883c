// Embedding lookup: a block widens the row of the table that its token names.
// Bytes per token: hidden * 4 written and hidden * (2 or 4) read; of int8 and int4, whose tiles hold 16 rows
// side by side, all sectors of a tile. Bound by the launch for a few tokens, by memory for many.
#include "cuda/ops.h"
#include "cuda/ops/weights.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

template <class Format>
__global__ void embeddingKernel(float* out, Format table, const int32_t* ids, int64_t hidden, int64_t rows) {
  waitForPrevious();
  const int64_t token = blockIdx.x, id = ids[token];
  const bool known = id >= 0 && id < rows;
  float* target = out + token * hidden;
  for (int64_t i = threadIdx.x; i < hidden; i += kThreads) {
    target[i] = known ? table.number(id, i) * table.scale(id, i) : NAN;
  }
}

}  // namespace

void embedding(Queue& queue, float* out, Weight table, const int32_t* ids, int64_t tokens, int64_t hidden,
               int64_t rows) {
  if (tokens == 0 || hidden == 0) return;
  withRowFormat(table, hidden, [&](auto format) {
    launch(queue, embeddingKernel<decltype(format)>, blocksFor(tokens, 1), kThreads, {.overlapping = true},
           out, format, ids, hidden, rows);
  });
}

}  // namespace persimmon::cuda
