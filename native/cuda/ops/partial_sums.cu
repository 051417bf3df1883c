// Adds the partial sums of a product where its own kernel does not: a thread for each element.
#include "cuda/ops/partial_sums.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

__global__ void addPartialSumsKernel(PartialSums to, const float* partial, int64_t parts, int64_t count,
                                     int64_t columns) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i < count) to.add<1>(partial, parts, count, i, i % columns);
}

}  // namespace

void addPartialSums(Queue& queue, const PartialSums& to, const float* partial, int64_t parts, int64_t rows,
                    int64_t columns) {
  const int64_t count = rows * columns;
  if (count == 0) return;
  launch(queue, addPartialSumsKernel, blocksFor(count, kThreads), kThreads, {.overlapping = true}, to,
         partial, parts, count, columns);
}

}  // namespace persimmon::cuda
