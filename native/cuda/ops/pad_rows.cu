// Copies rows of activations so that they are aligned; only where shapes are odd.
#include "cuda/ops/pad_rows.cuh"
#include "cuda/ops/weights.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void padRowsKernel(float* to, const float* x, int64_t count, int64_t width, int64_t padded) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i < count) to[i] = i % padded < width ? x[i / padded * width + i % padded] : 0.0f;
}

}  // namespace

const float* paddedRows(Queue& queue, const float* x, int64_t rows, int64_t width, int64_t padded) {
  const int64_t count = rows * padded;
  if ((width == padded && isAligned(x)) || count == 0) return x;
  auto* to = reinterpret_cast<float*>(queue.scratch(static_cast<size_t>(count) * sizeof(float)));
  launch(queue, padRowsKernel, blocksFor(count, kThreads), kThreads, {.overlapping = true}, to, x, count,
         width, padded);
  return to;
}

}  // namespace persimmon::cuda
