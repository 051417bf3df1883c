// What lies between two tokens of a text: a few bytes a row, and one launch, so that the next pass finds its
// inputs on the GPU.
#include "cpu/row_advance.h"
#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 32;

__global__ void advanceKernel(Advance all) {
  waitForPrevious();
  const int64_t row = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (row < all.rows) cpu::advanceRow(all, row);
}

}  // namespace

void advance(Queue& queue, const Advance& all) {
  if (all.rows == 0) return;
  launch(queue, advanceKernel, blocksFor(all.rows, kThreads), kThreads, {.overlapping = true}, all);
}

}  // namespace persimmon::cuda
