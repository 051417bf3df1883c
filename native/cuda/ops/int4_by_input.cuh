// linearByInput for up to 8 rows and int4 weights: as in linear_by_input_few.cuh, but by groups of 32 inputs,
// whose sums are scaled. A warp takes every eighth group of the slice.
//
// Bytes: half a byte for each weight of a live input, and 2 for each output and each group with a live input,
// which is 1/8 of what all weights would take.
#pragma once

#include "cuda/ops/linear_by_input_few.cuh"

namespace persimmon::cuda {

/** kBytes bytes of a row of weights: as many outputs in their low, and as many in their high halves. */
template <int kBytes>
struct NibblePiece {
  uint32_t words[kBytes / 4];

  __device__ __forceinline__ void load(const uint8_t* at) {
    if constexpr (kBytes == 8) {
      const uint2 two = __ldcg(reinterpret_cast<const uint2*>(at));
      words[0] = two.x, words[1] = two.y;
    } else {
      words[0] = __ldcg(reinterpret_cast<const uint32_t*>(at));
    }
  }
  __device__ __forceinline__ float number(int c) const {
    const uint32_t word = words[c % kBytes / 4];
    return byteNumber((c < kBytes ? word : word >> 4) & 0x0f0f0f0fu, c % 4, cpu::kInt4Zero);
  }
};

/** `outputs`: with those that fill up the last 64. */
template <int kRows, int kBytes>
__global__ __launch_bounds__(kLiveThreads, kRows <= 4 ? 2 : 1) void liveInt4Kernel(const uint8_t* weight,
                                                                                   const uint16_t* scales,
                                                                                   int64_t outputs,
                                                                                   ByInputProblem problem) {
  constexpr int kColumns = 2 * kBytes, kStripe = kWarp * kColumns, kBatch = 8;
  constexpr int kUnitBytes = static_cast<int>(cpu::kInt4Unit) / 2;
  __shared__ float shared[kLiveWarps * padded(kStripe)];
  __shared__ unsigned long long read;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t slice = blockIdx.x / problem.stripes, stripe = blockIdx.x % problem.stripes;
  const int64_t groups = problem.inFeatures / cpu::kGroupInputs,
                perSlice = problem.sliceInputs / cpu::kGroupInputs;
  const int64_t begin = slice * perSlice, end = begin + perSlice < groups ? begin + perSlice : groups;
  // Outputs place(c) of the stripe.
  const int unit = lane * kBytes / kUnitBytes, inUnit = lane * kBytes % kUnitBytes;
  const auto place = [=](int c) {
    return unit * 2 * kUnitBytes + inUnit + (c < kBytes ? c : kUnitBytes + c - kBytes);
  };
  const int64_t first = stripe * kStripe, scaleBytes = outputs * 2;
  const bool inside = first + unit * 2 * kUnitBytes < outputs;
  const uint8_t* column = weight + first / 2 + lane * kBytes;
  float sums[kRows][kColumns] = {};
  unsigned long long warpRead = 0;
  waitForPrevious();
  if (threadIdx.x == 0) read = 0;
  __syncthreads();
  for (int64_t g = begin + warp; g < end; g += kLiveWarps) {
    const int64_t k = g * cpu::kGroupInputs + lane;
    float x[kRows];
    PERSIMMON_UNROLL
    for (int r = 0; r < kRows; ++r) x[r] = r < problem.rows ? problem.x[r * problem.inFeatures + k] : 0.0f;
    uint32_t any = 0;
    PERSIMMON_UNROLL
    for (int r = 0; r < kRows; ++r) any |= __float_as_uint(x[r]) << 1;
    unsigned left = __ballot_sync(kAllLanes, any != 0);
    if (left == 0) continue;
    // On their way while the products are made. What a lane needs lies together in pieces of kBytes outputs.
    uint2 scalesOfGroup[kColumns / 4];
    PERSIMMON_UNROLL
    for (int c = 0; c < kColumns; c += 4) {
      if (inside)
        scalesOfGroup[c / 4] =
            __ldcg(reinterpret_cast<const uint2*>(scales + g * outputs + first + place(c)));
    }
    warpRead += static_cast<unsigned long long>(__popc(left) * (outputs / 2) + scaleBytes);
    float partial[kRows][kColumns] = {};
    while (left != 0) {
      NibblePiece<kBytes> pieces[kBatch];
      const unsigned batch = left;
      PERSIMMON_UNROLL
      for (int b = 0; b < kBatch; ++b) {
        if (left != 0 && inside)
          pieces[b].load(column +
                         (g * cpu::kGroupInputs + __ffs(static_cast<int>(left)) - 1) * (outputs / 2));
        left &= left - 1;
      }
      unsigned now = batch;
      PERSIMMON_UNROLL
      for (int b = 0; b < kBatch; ++b) {
        if (now == 0) continue;
        PERSIMMON_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const float a = __shfl_sync(kAllLanes, x[r], __ffs(static_cast<int>(now)) - 1);
          if (!inside) continue;
          PERSIMMON_UNROLL
          for (int c = 0; c < kColumns; ++c) partial[r][c] = fmaf(a, pieces[b].number(c), partial[r][c]);
        }
        now &= now - 1;
      }
    }
    if (!inside) continue;
    PERSIMMON_UNROLL
    for (int c = 0; c < kColumns; c += 4) {
      const uint2 four = scalesOfGroup[c / 4];
      const float scale[4] = {lowBFloat16(four.x), highBFloat16(four.x), lowBFloat16(four.y),
                              highBFloat16(four.y)};
      PERSIMMON_UNROLL
      for (int r = 0; r < kRows; ++r) {
        PERSIMMON_UNROLL
        for (int i = 0; i < 4; ++i) sums[r][c + i] = fmaf(scale[i], partial[r][c + i], sums[r][c + i]);
      }
    }
  }
  letNextStart();
  PERSIMMON_UNROLL
  for (int r = 0; r < kRows; ++r) {
    if (r < problem.rows) writePartial<kColumns, kStripe>(problem, slice, first, r, shared, sums[r], place);
  }
  if (stripe == 0) {
    if (lane == 0) atomicAdd(&read, warpRead);
    __syncthreads();
    if (threadIdx.x == 0) {
      const int64_t all = (end - begin) * (cpu::kGroupInputs * outputs / 2 + scaleBytes);
      countTraffic(problem.traffic, static_cast<int64_t>(read), all - static_cast<int64_t>(read));
    }
  }
  addSlices<kRows>(problem, stripe, first, kStripe);
}

}  // namespace persimmon::cuda
