// Rounding float32 to bfloat16: to nearest, to even between two; NaN stays NaN, subnormal numbers stay.
#pragma once

#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

PERSIMMON_INLINE uint16_t roundToBFloat16(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
}

PERSIMMON_INLINE void roundRow(uint16_t* out, const float* x, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512BF16__)
  // The instruction flushes subnormal numbers to zero, so vectors that hold one take the loop below.
  for (; i + 16 <= n; i += 16) {
    const __m512 v = _mm512_loadu_ps(x + i);
    constexpr int kSubnormal = 0x20;
    if (_mm512_fpclass_ps_mask(v, kSubnormal) == 0) {
      const __m256bh halves = _mm512_cvtneps_pbh(v);
      __builtin_memcpy(out + i, &halves, sizeof halves);
    } else {
      for (int64_t lane = i; lane < i + 16; ++lane) out[lane] = roundToBFloat16(x[lane]);
    }
  }
#endif
  for (; i < n; ++i) out[i] = roundToBFloat16(x[i]);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
