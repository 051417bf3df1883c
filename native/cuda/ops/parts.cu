// What the ranks of a split model do around a table of which each has some rows. A thread for each element:
// 8 bytes an element, the launch is most of it.
#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void idsOfPartKernel(int32_t* out, const int32_t* ids, int64_t tokens, int64_t first,
                                int64_t rows) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i >= tokens) return;
  const int64_t row = ids[i] - first;
  out[i] = row >= 0 && row < rows ? static_cast<int32_t>(row) : -1;
}

// Chosen, not multiplied: a row without an id is NaN.
__global__ void clearRowsKernel(float* out, const float* x, const int32_t* ids, int64_t count,
                                int64_t width) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i < count) out[i] = ids[i / width] < 0 ? 0.0f : x[i];
}

}  // namespace

void idsOfPart(Queue& queue, int32_t* out, const int32_t* ids, int64_t tokens, int64_t first, int64_t rows) {
  if (tokens == 0) return;
  launch(queue, idsOfPartKernel, blocksFor(tokens, kThreads), kThreads, {.overlapping = true}, out, ids,
         tokens, first, rows);
}

void clearRows(Queue& queue, float* out, const float* x, const int32_t* ids, int64_t tokens, int64_t width) {
  const int64_t count = tokens * width;
  if (count == 0) return;
  launch(queue, clearRowsKernel, blocksFor(count, kThreads), kThreads, {.overlapping = true}, out, x, ids,
         count, width);
}

}  // namespace persimmon::cuda
