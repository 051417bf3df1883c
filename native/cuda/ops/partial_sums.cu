// Adds the partial sums of a product: 4 bytes read for each part of an output, out of the second-level cache.
#include "cuda/ops/partial_sums.cuh"
#include "cuda/ops/weights.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void addPartialSumsKernel(float* out, const float* partial, int64_t parts, int64_t count,
                                     int64_t columns, const float* scales, cpu::Weight bias) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i >= count) return;
  float sum = 0.0f;
  for (int64_t part = 0; part < parts; ++part) sum += partial[part * count + i];
  const int64_t column = i % columns;
  if (scales != nullptr) sum *= scales[column];
  out[i] = sum + biasOf(bias, column);
}

}  // namespace

void addPartialSums(Queue& queue, float* out, const float* partial, int64_t parts, int64_t rows,
                    int64_t columns, const float* scales, Weight bias) {
  const int64_t count = rows * columns;
  if (count == 0) return;
  launch(queue, addPartialSumsKernel, blocksFor(count, kThreads), kThreads, {.overlapping = true}, out,
         partial, parts, count, columns, scales, bias);
}

}  // namespace persimmon::cuda
