// What a warp does with one head of one token: LayerNorm, rotation, and the way to the cache.
#pragma once

#include "cuda/device.cuh"

namespace persimmon::cuda {

__device__ __forceinline__ int laneOfWarp() { return static_cast<int>(threadIdx.x) % kWarp; }

__device__ __forceinline__ void copyRow(float* out, const float* x, int32_t width) {
  for (int32_t i = laneOfWarp(); i < width; i += kWarp) out[i] = x[i];
}

/** normRow for up to two elements a lane: all is loaded at once, before the sums that the rest waits for. */
__device__ __forceinline__ void normNarrowRow(float* out, const float* x, const cpu::Weight& weight,
                                              const cpu::Weight& bias, int32_t width, float epsilon) {
  float values[2], scales[2], shifts[2];
  PERSIMMON_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int32_t i = half * kWarp + laneOfWarp();
    const bool inside = i < width;
    values[half] = inside ? x[i] : 0.0f;
    scales[half] = inside ? element(weight, i) : 0.0f;
    shifts[half] = inside && bias.data != nullptr ? element(bias, i) : 0.0f;
  }
  const bool hasSecond = kWarp + laneOfWarp() < width;
  const float mean = warpSum(values[0] + values[1]) / static_cast<float>(width);
  float squares[2];
  PERSIMMON_UNROLL
  for (int half = 0; half < 2; ++half) squares[half] = (values[half] - mean) * (values[half] - mean);
  const float sum = laneOfWarp() >= width ? 0.0f : hasSecond ? squares[0] + squares[1] : squares[0];
  const float scale = 1.0f / sqrtf(warpSum(sum) / static_cast<float>(width) + epsilon);
  PERSIMMON_UNROLL
  for (int half = 0; half < 2; ++half) {
    const int32_t i = half * kWarp + laneOfWarp();
    const float y = (values[half] - mean) * scale * scales[half];
    if (i < width) out[i] = bias.data != nullptr ? y + shifts[half] : y;
  }
}

/** The mean first and then the squared differences, so that nothing cancels. `out` is not `x`. */
__device__ __forceinline__ void normRow(float* out, const float* x, const cpu::Weight& weight,
                                        const cpu::Weight& bias, int32_t width, float epsilon) {
  if (width <= 2 * kWarp) return normNarrowRow(out, x, weight, bias, width, epsilon);
  float sum = 0;
  for (int32_t i = laneOfWarp(); i < width; i += kWarp) sum += x[i];
  const float mean = warpSum(sum) / static_cast<float>(width);
  float squares = 0;
  for (int32_t i = laneOfWarp(); i < width; i += kWarp) squares += (x[i] - mean) * (x[i] - mean);
  const float scale = 1.0f / sqrtf(warpSum(squares) / static_cast<float>(width) + epsilon);
  for (int32_t i = laneOfWarp(); i < width; i += kWarp) {
    const float y = (x[i] - mean) * scale * element(weight, i);
    out[i] = bias.data != nullptr ? y + element(bias, i) : y;
  }
}

/** Rotate-half; cos and sin are the token's rows of rotaryDims / 2 angles. `out` may be `x`: a lane reads
 * both numbers of a pair before it writes them. Rounded products, as on the CPU: a fused step would favour
 * one of the two. */
__device__ __forceinline__ void rotateRow(float* out, const float* x, const float* cos, const float* sin,
                                          int32_t headDim, int32_t rotaryDims) {
  const int32_t half = rotaryDims / 2;
  for (int32_t i = laneOfWarp(); i < half; i += kWarp) {
    const float first = x[i], second = x[half + i];
    out[i] = __fsub_rn(__fmul_rn(first, cos[i]), __fmul_rn(second, sin[i]));
    out[half + i] = __fadd_rn(__fmul_rn(second, cos[i]), __fmul_rn(first, sin[i]));
  }
  if (out != x) copyRow(out + rotaryDims, x + rotaryDims, headDim - rotaryDims);
}

/** int8 with a scale, to the bits of roundRowToInt8 in cpu/ops/int8_rounding.h. */
__device__ __forceinline__ void storeRowAsInt8(int8_t* out, float* scale, const float* x, int32_t width) {
  float largest = 0;
  int finite = 1;
  for (int32_t i = laneOfWarp(); i < width; i += kWarp) {
    largest = fmaxf(largest, fabsf(x[i]));
    finite &= x[i] * 0.0f == 0.0f ? 1 : 0;
  }
  const bool allFinite = __all_sync(kAllLanes, finite) != 0;
  float step = warpMax(largest) / 127.0f;
  if (!(step >= 1e-37f)) step = 0;
  const float divisor = step == 0.0f || !allFinite ? 1.0f : step;
  // Adding 1.5 * 2^23 leaves the number, rounded to the nearest and even, in the lowest bits.
  for (int32_t i = laneOfWarp(); i < width; i += kWarp)
    out[i] = static_cast<int8_t>(__float_as_uint(x[i] / divisor + 12582912.0f));
  if (laneOfWarp() == 0) *scale = allFinite ? step : NAN;
}

/** A row of keys, or of values, to its place among the rows of the cache. */
__device__ __forceinline__ void storeRow(cpu::DType dtype, void* rows, float* scales, int64_t row,
                                         const float* x, int32_t width) {
  if (dtype == cpu::DType::kInt8) {
    storeRowAsInt8(static_cast<int8_t*>(rows) + row * width, scales + row, x, width);
  } else if (dtype == cpu::DType::kBFloat16) {
    uint16_t* out = static_cast<uint16_t*>(rows) + row * width;
    for (int32_t i = laneOfWarp(); i < width; i += kWarp) out[i] = toBFloat16(x[i]);
  } else {
    copyRow(static_cast<float*>(rows) + row * width, x, width);
  }
}

/** Element `i` of a row of the cache without its scale. */
__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(uint16_t x) { return fromBFloat16(x); }
__device__ __forceinline__ float widen(int8_t x) { return static_cast<float>(x); }

/** f(an element of this type), where a cache of the type has a kernel of its own. */
template <class F>
auto withCacheType(cpu::DType dtype, const F& f) {
  switch (dtype) {
    case cpu::DType::kInt8:
      return f(int8_t{});
    case cpu::DType::kBFloat16:
      return f(uint16_t{});
    default:
      return f(float{});
  }
}

/** Whether rows of this type are whole numbers with a scale for each. */
template <class T>
constexpr bool kHasScales = false;
template <>
inline constexpr bool kHasScales<int8_t> = true;

}  // namespace persimmon::cuda
