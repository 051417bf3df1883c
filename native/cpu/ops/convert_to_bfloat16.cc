// Rounding to bfloat16, to nearest even. Bytes per element: 4 read, 2 written.
// In integers on every instruction set: vcvtneps2bf16 (AVX-512-BF16) flushes subnormal numbers to zero, and
// the loop is bound by memory as it is.
#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void convertToBFloat16(ThreadPool& pool, uint16_t* out, const float* x, int64_t count) {
  parallelChunks(pool, count, 16384, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      uint32_t bits;
      __builtin_memcpy(&bits, x + i, sizeof bits);
      const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1)) >> 16;
      const uint32_t quiet = (bits >> 16) | 0x40u;
      out[i] = static_cast<uint16_t>((bits & 0x7FFFFFFFu) > 0x7F800000u ? quiet : rounded);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
