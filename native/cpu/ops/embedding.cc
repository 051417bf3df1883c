// Embedding lookup: widens the rows of the table that the tokens name.
// Bytes per token: hidden * (2 or 4) read, hidden * 4 written.
#include "cpu/isa.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void embedding(ThreadPool& pool, float* out, Weight table, const int32_t* ids, int64_t tokens,
               int64_t hidden) {
  withWeight(table, [&](auto* rows) {
    parallelChunks(pool, tokens, 8, [&](int64_t begin, int64_t end) {
      for (int64_t token = begin; token < end; ++token) {
        const auto* row = rows + ids[token] * hidden;
        for (int64_t i = 0; i < hidden; i += kLanes) {
          storeUpTo(out + token * hidden + i, loadUpTo(row + i, hidden - i), hidden - i);
        }
      }
    });
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
