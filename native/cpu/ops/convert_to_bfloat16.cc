// Rounding to bfloat16, to nearest even. Bytes per element: 4 read, 2 written.
#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

PERSIMMON_INLINE uint16_t roundToBFloat16(uint32_t bits) {
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16;
  const uint32_t quiet = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
}

}  // namespace

void convertToBFloat16(ThreadPool& pool, uint16_t* out, const float* x, int64_t count) {
  parallelChunks(pool, count, 16384, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
#if defined(__AVX512BF16__)
    // The only use of AVX-512-BF16; linear.cc says why. The instruction flushes subnormal numbers to zero, so
    // vectors that hold one take the loop below.
    for (; i + 16 <= end; i += 16) {
      const __m512 v = _mm512_loadu_ps(x + i);
      constexpr int kSubnormal = 0x20;
      if (_mm512_fpclass_ps_mask(v, kSubnormal) == 0) {
        const __m256bh halves = _mm512_cvtneps_pbh(v);
        __builtin_memcpy(out + i, &halves, sizeof halves);
      } else {
        for (int64_t lane = i; lane < i + 16; ++lane) {
          uint32_t bits;
          __builtin_memcpy(&bits, x + lane, sizeof bits);
          out[lane] = roundToBFloat16(bits);
        }
      }
    }
#endif
    for (; i < end; ++i) {
      uint32_t bits;
      __builtin_memcpy(&bits, x + i, sizeof bits);
      out[i] = roundToBFloat16(bits);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
