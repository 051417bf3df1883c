// linear for up to 8 rows of any shape and alignment: a warp takes one output and reads one number at a time.
#pragma once

#include "cuda/ops/linear_call.cuh"
#include "cuda/ops/weights.cuh"

namespace persimmon::cuda {

constexpr int kPlainThreads = 128;

template <class Format>
__global__ __launch_bounds__(kPlainThreads) void plainKernel(float* out, const float* x, Format weight,
                                                             cpu::Weight bias, int rows, int64_t inFeatures,
                                                             int64_t outFeatures, unsigned long long* traffic,
                                                             int64_t bytes, After after) {
  waitForPrevious();
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t o = int64_t{blockIdx.x} * (kPlainThreads / kWarp) + threadIdx.x / kWarp;
  if (o >= outFeatures) return;  // a whole warp
  float sums[kFewRows] = {};
  for (int64_t k = lane; k < inFeatures; k += kWarp) {
    const float number = weight.number(o, k) * weight.scale(o, k);
    PERSIMMON_UNROLL
    for (int r = 0; r < kFewRows; ++r) {
      if (r < rows) sums[r] = fmaf(x[r * inFeatures + k], number, sums[r]);
    }
  }
  PERSIMMON_UNROLL
  for (int r = 0; r < kFewRows; ++r) {
    const float sum = warpSum(sums[r]);
    if (lane == r && r < rows) after.store(out, r * outFeatures + o, sum + biasOf(bias, o));
  }
  if (o == 0 && lane == 0) countTraffic(traffic, bytes, 0);
}

}  // namespace persimmon::cuda
