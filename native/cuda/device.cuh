// What kernels share: element types, and sums over a warp and a block in a fixed order.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cpu/ops.h"

namespace persimmon::cuda {

constexpr int kWarp = 32;
constexpr unsigned kAllLanes = 0xffffffffu;

// Dynamic shared memory as an array of `type`, aligned to 16 bytes.
#ifdef PERSIMMON_CUDA_EMULATED
#define PERSIMMON_DYNAMIC_SHARED(type, name) \
  type* const name = reinterpret_cast<type*>(cuda_emulator::dynamicShared())
#else
#define PERSIMMON_DYNAMIC_SHARED(type, name)                                \
  extern __shared__ __align__(16) unsigned char persimmon_dynamic_shared[]; \
  type* const name = reinterpret_cast<type*>(persimmon_dynamic_shared)
#endif

// Before a loop whose arrays are to stay in registers, and before one that would only make the code long.
#ifdef PERSIMMON_CUDA_EMULATED
#define PERSIMMON_UNROLL
#define PERSIMMON_NO_UNROLL
#else
#define PERSIMMON_UNROLL _Pragma("unroll")
#define PERSIMMON_NO_UNROLL _Pragma("unroll 1")
#endif

/**
 * Of this thread in its grid, for kernels with a thread for each element. A loop over a smaller grid would
 * begin with a division of 64 bits, for the number of its rounds.
 */
__device__ __forceinline__ int64_t indexOfThread() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }

/** Waits for the kernels before, where this one was launched overlapping them (LaunchOptions). */
__device__ __forceinline__ void waitForPrevious() {
#if defined(PERSIMMON_CUDA_EMULATED) || __CUDA_ARCH__ >= 900
  cudaGridDependencySynchronize();
#endif
}

/** Lets an overlapping kernel behind this one start; what it reads is still waited for. */
__device__ __forceinline__ void letNextStart() {
#if defined(PERSIMMON_CUDA_EMULATED) || __CUDA_ARCH__ >= 900
  cudaTriggerProgrammaticLaunchCompletion();
#endif
}

__device__ __forceinline__ float fromBFloat16(uint16_t bits) { return __uint_as_float(uint32_t{bits} << 16); }
/** The two bfloat16 numbers of a little-endian word. */
__device__ __forceinline__ float lowBFloat16(uint32_t word) { return __uint_as_float(word << 16); }
__device__ __forceinline__ float highBFloat16(uint32_t word) { return __uint_as_float(word & 0xffff0000u); }

/** Rounds to nearest even; NaN stays NaN. */
__device__ __forceinline__ uint16_t toBFloat16(float x) {
  const uint32_t bits = __float_as_uint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>(bits >> 16 | 64);
  return static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
}

/** Element `i` of a float32 or bfloat16 weight, for the few places that read one at a time. */
__device__ __forceinline__ float element(const cpu::Weight& weight, int64_t i) {
  return weight.dtype == cpu::DType::kBFloat16 ? fromBFloat16(static_cast<const uint16_t*>(weight.data)[i])
                                               : static_cast<const float*>(weight.data)[i];
}

/** The same in all lanes: every lane adds in the order of a butterfly, which does not depend on the data. */
__device__ __forceinline__ float warpSum(float x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(kAllLanes, x, lanes);
  return x;
}

__device__ __forceinline__ float warpMax(float x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(kAllLanes, x, lanes));
  return x;
}

/**
 * The sum over a block of whole warps, the same in all threads. `partial` is shared memory for 32 floats,
 * free again after the next barrier.
 */
__device__ __forceinline__ float blockSum(float x, float* partial) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  x = warpSum(x);
  if (lane == 0) partial[warp] = x;
  __syncthreads();
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  x = warpSum(lane < warps ? partial[lane] : 0.0f);
  __syncthreads();
  return x;
}

__device__ __forceinline__ float blockMax(float x, float* partial) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  x = warpMax(x);
  if (lane == 0) partial[warp] = x;
  __syncthreads();
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  x = warpMax(lane < warps ? partial[lane] : -INFINITY);
  __syncthreads();
  return x;
}

}  // namespace persimmon::cuda
