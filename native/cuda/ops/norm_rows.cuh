// Normalising rows: by layerNorm and rmsNorm themselves, and by products that have a layerNorm before them
// (core/joined_ops.h). Both add in the same order, that of a thread for about four elements.
#pragma once

#include "cuda/device.cuh"

namespace persimmon::cuda {

constexpr int kMostNormThreads = 1024;

/** Threads that share a row: about four elements each, whole warps. */
inline int normThreads(int64_t width) {
  const int64_t warps = (width + 4 * kWarp - 1) / (4 * kWarp);
  return static_cast<int>(warps < 1                          ? kWarp
                          : warps * kWarp < kMostNormThreads ? warps * kWarp
                                                             : kMostNormThreads);
}

/**
 * The sum of f(element) over a row as `threads` threads add it, the same in all threads. A block of
 * kBlockWarps warps may be smaller: then each warp takes the part of several. `partial` is shared memory for
 * 32 floats, free again afterwards.
 */
template <int kBlockWarps, class F>
__device__ __forceinline__ float sumOverRow(int64_t width, int threads, float* partial, const F& f) {
  constexpr int kRounds = (kMostNormThreads / kWarp + kBlockWarps - 1) / kBlockWarps;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warps = threads / kWarp;
  float sums[kRounds] = {};
  for (int64_t first = threadIdx.x; first < width; first += threads) {
    PERSIMMON_UNROLL
    for (int round = 0; round < kRounds; ++round) {
      const int64_t i = first + round * kBlockWarps * kWarp;
      if (i < width) sums[round] += f(i);
    }
  }
  PERSIMMON_UNROLL
  for (int round = 0; round < kRounds; ++round) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp + round * kBlockWarps;
    const float sum = warpSum(sums[round]);
    if (lane == 0 && warp < warps) partial[warp] = sum;
  }
  __syncthreads();
  const float sum = warpSum(lane < warps ? partial[lane] : 0.0f);
  __syncthreads();
  return sum;
}

/** What layerNorm multiplies and adds to. */
struct RowScale {
  float mean, scale;
  __device__ __forceinline__ float operator()(float x) const { return (x - mean) * scale; }
};

/** The mean first and then the squared differences, so that nothing cancels. `at(i)` is element i. */
template <int kBlockWarps, class F>
__device__ __forceinline__ RowScale layerNormScale(int64_t width, int threads, float epsilon, float* partial,
                                                   const F& at) {
  const float mean = sumOverRow<kBlockWarps>(width, threads, partial, at) / static_cast<float>(width);
  const float squares = sumOverRow<kBlockWarps>(width, threads, partial, [&](int64_t i) {
    const float difference = at(i) - mean;
    return difference * difference;
  });
  return {mean, 1.0f / sqrtf(squares / static_cast<float>(width) + epsilon)};
}

}  // namespace persimmon::cuda
