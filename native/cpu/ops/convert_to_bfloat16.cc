// Rounding to bfloat16, to nearest even. Bytes per element: 4 read, 2 written.
#include "cpu/isa.h"
#include "cpu/ops/bfloat16_rounding.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void convertToBFloat16(ThreadPool& pool, uint16_t* out, const float* x, int64_t count) {
  parallelChunks(pool, count, 16384,
                 [&](int64_t begin, int64_t end) { roundRow(out + begin, x + begin, end - begin); });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
