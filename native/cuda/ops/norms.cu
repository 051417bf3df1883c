// LayerNorm and root mean square normalisation over rows: a block takes a row. Bytes per element: 4 read
// (from memory once: a row of 4,096 stays in the first-level cache for the other passes) and 4 written. One
// row is bound by the launch and three passes of latency, many by memory.
#include "cuda/ops.h"
#include "cuda/ops/norm_rows.cuh"
#include "cuda/ops/weights.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kMostWarps = kMostNormThreads / kWarp;

// A thread writes the elements that it alone has read in the last pass, so `out` may be `x`.

__global__ void layerNormKernel(float* out, const float* x, cpu::Weight weight, cpu::Weight bias,
                                int64_t width, float epsilon) {
  __shared__ float partial[kWarp];
  waitForPrevious();
  const float* from = x + blockIdx.x * width;
  float* to = out + blockIdx.x * width;
  const RowScale by =
      layerNormScale<kMostWarps>(width, blockDim.x, epsilon, partial, [=](int64_t i) { return from[i]; });
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
    const float y = by(from[i]);
    to[i] = (weight.data != nullptr ? y * element(weight, i) : y) + biasOf(bias, i);
  }
}

__global__ void rmsNormKernel(float* out, const float* x, cpu::Weight weight, int64_t width, float epsilon) {
  __shared__ float partial[kWarp];
  waitForPrevious();
  const float* from = x + blockIdx.x * width;
  float* to = out + blockIdx.x * width;
  const float squares =
      sumOverRow<kMostWarps>(width, blockDim.x, partial, [=](int64_t i) { return from[i] * from[i]; });
  const float scale = 1.0f / sqrtf(squares / static_cast<float>(width) + epsilon);
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) to[i] = from[i] * scale * element(weight, i);
}

}  // namespace

void layerNorm(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
               int64_t width, float epsilon) {
  if (rows == 0 || width == 0) return;
  launch(queue, layerNormKernel, blocksFor(rows, 1), static_cast<unsigned>(normThreads(width)),
         {.overlapping = true}, out, x, weight, bias, width, epsilon);
}

void rmsNorm(Queue& queue, float* out, const float* x, Weight weight, int64_t rows, int64_t width,
             float epsilon) {
  if (rows == 0 || width == 0) return;
  launch(queue, rmsNormKernel, blocksFor(rows, 1), static_cast<unsigned>(normThreads(width)),
         {.overlapping = true}, out, x, weight, width, epsilon);
}

}  // namespace persimmon::cuda
