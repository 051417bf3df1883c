// Sixteen float lanes, the only vector type of native/cpu/ops: one zmm register, two ymm registers, or four
// 128-bit vectors (SSE2, NEON) that the compiler lowers. All versions add lanes in the same order, so they
// give the same bits wherever there is a fused multiply-add.
#pragma once

#include <cstddef>
#include <cstdint>

#define PERSIMMON_INLINE inline __attribute__((always_inline))
/** For loops over the sums of a tile: unrolled so early that GCC keeps them in registers. Left as loops they
 * go through the stack before and after each tile (2 to 4 % of a product). */
#define PERSIMMON_UNROLL _Pragma("GCC unroll 32")

#if defined(__AVX512F__)
#include "cpu/simd/vec_avx512.h"
#elif defined(__AVX2__)
#include "cpu/simd/vec_avx2.h"
#else
#include "cpu/simd/vec_portable.h"
#endif

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int kLanes = 16;

/** Scalar reads of weights, which may be unaligned. */
PERSIMMON_INLINE float loadScalar(const float* p) {
  float value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}

PERSIMMON_INLINE float loadScalar(const BFloat16* p) {
  uint16_t half;
  __builtin_memcpy(&half, p, sizeof half);
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

/** Lanes [0, n) from memory and zeros after them; n may be 16 or more. */
template <class T>
PERSIMMON_INLINE Vec loadUpTo(const T* p, int64_t n) {
  return n >= kLanes ? load(p) : loadPartial(p, static_cast<int>(n));
}

PERSIMMON_INLINE void storeUpTo(float* p, Vec a, int64_t n) {
  if (n >= kLanes) {
    store(p, a);
  } else {
    storePartial(p, a, static_cast<int>(n));
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
