// Products of many rows in float32 by ordinary multiply-adds: weights of float32, and activations (matmul). A
// block takes 64 rows and 64 outputs, a thread four by four; 16 inputs at a time lie in shared memory, the
// next 16 are on their way. Limited by the multiply-adds, of which half the rate is lost to reading shared
// memory (8 bytes for each four of them).
#pragma once

#include "cuda/ops/gemm_mma.cuh"

namespace persimmon::cuda {

constexpr int kFloatTile = 64;  // rows, and outputs
constexpr int kFloatInputs = 16;
constexpr int kFloatPitch = kFloatTile + 4;

/** Four neighbouring floats of which `left` are there; at least 1 where aligned, which then means all four.
 */
__device__ __forceinline__ float4 fourFloats(const float* at, int64_t left, bool aligned) {
  if (aligned && left > 0) return *reinterpret_cast<const float4*>(at);
  return make_float4(left > 0 ? at[0] : 0.0f, left > 1 ? at[1] : 0.0f, left > 2 ? at[2] : 0.0f,
                     left > 3 ? at[3] : 0.0f);
}

/**
 * out of each pair of a batch = x . b^T, b [outFeatures, inFeatures], or, with kByInput, b [inFeatures,
 * outFeatures]. `alignedB`: b, and each of its rows, to 16 bytes. A batch is the split of `problem`: splits
 * are not pairs of a batch.
 */
template <bool kByInput>
__global__ __launch_bounds__(kProductThreads) void floatProductKernel(ManyRows problem, const float* b,
                                                                      bool alignedB, int64_t batch) {
  __shared__ __align__(16) float xs[2][kFloatInputs * kFloatPitch];
  __shared__ __align__(16) float bs[2][kFloatInputs * kFloatPitch];
  const int thread = static_cast<int>(threadIdx.x), across = thread % 16 * 4, down = thread / 16 * 4;
  BlockPlace place = blockPlace(problem, kFloatTile, kFloatTile);
  if (batch > 1) {  // place.split is the pair
    problem.x += place.split * problem.rows * problem.inFeatures;
    b += place.split * problem.inFeatures * problem.outFeatures;
    place.begin = 0;
    place.end = problem.inFeatures;
  }
  float a[4];
  float4 w;
  const auto fetch = [&](int64_t k) {
    loadActivations(problem, place.row + thread / 4, k + thread % 4 * 4, place.end, a);
    if constexpr (kByInput) {
      const int64_t input = k + thread / 16, o = place.output + across;
      w = fourFloats(b + input * problem.outFeatures + o, input < place.end ? problem.outFeatures - o : 0,
                     alignedB);
    } else {
      const int64_t input = k + thread % 4 * 4, o = place.output + thread / 4;
      w = fourFloats(b + o * problem.inFeatures + input, o < problem.outFeatures ? place.end - input : 0,
                     alignedB);
    }
  };
  const auto store = [&](int half) {
    PERSIMMON_UNROLL
    for (int i = 0; i < 4; ++i) xs[half][(thread % 4 * 4 + i) * kFloatPitch + thread / 4] = a[i];
    if constexpr (kByInput) {
      *reinterpret_cast<float4*>(bs[half] + thread / 16 * kFloatPitch + across) = w;
    } else {
      float* to = bs[half] + thread % 4 * 4 * kFloatPitch + thread / 4;
      to[0] = w.x, to[kFloatPitch] = w.y, to[2 * kFloatPitch] = w.z, to[3 * kFloatPitch] = w.w;
    }
  };
  float sums[4][4] = {};
  waitForPrevious();
  if (place.begin < place.end) {
    fetch(place.begin);
    store(0);
  }
  __syncthreads();
  int current = 0;
  for (int64_t k = place.begin; k < place.end; k += kFloatInputs) {
    const bool more = k + kFloatInputs < place.end;
    if (more) fetch(k + kFloatInputs);
    PERSIMMON_UNROLL
    for (int inner = 0; inner < kFloatInputs; ++inner) {
      const float4 x4 = *reinterpret_cast<const float4*>(xs[current] + inner * kFloatPitch + down);
      const float4 b4 = *reinterpret_cast<const float4*>(bs[current] + inner * kFloatPitch + across);
      const float x[4] = {x4.x, x4.y, x4.z, x4.w}, y[4] = {b4.x, b4.y, b4.z, b4.w};
      PERSIMMON_UNROLL
      for (int i = 0; i < 4; ++i) {
        PERSIMMON_UNROLL
        for (int j = 0; j < 4; ++j) sums[i][j] = fmaf(x[i], y[j], sums[i][j]);
      }
    }
    if (more) store(1 - current);
    __syncthreads();
    current = 1 - current;
  }
  letNextStart();
  PERSIMMON_UNROLL
  for (int i = 0; i < 4; ++i) {
    PERSIMMON_UNROLL
    for (int j = 0; j < 4; ++j)
      storeProduct(problem, place.split, place.row + down + i, place.output + across + j, sums[i][j]);
  }
  if (problem.traffic != nullptr && blockIdx.x == 0 && thread == 0)
    countTraffic(problem.traffic, problem.bytes, 0);
}

}  // namespace persimmon::cuda
