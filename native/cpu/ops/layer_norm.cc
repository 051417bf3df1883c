// LayerNorm over rows. Bytes per element: 4 read (from memory once: a row of 4,096 stays in the first-level
// cache for the three passes) and 4 written. 0.3 microseconds for a row of 4,096: 110 GB/s, in cache.
#include "cpu/ops/layer_norm.h"

#include "cpu/isa.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void layerNorm(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
               int64_t width, float epsilon) {
  const int64_t grain = width >= 8192 ? 1 : 8192 / width;
  parallelChunks(pool, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      layerNormRow(out + row * width, x + row * width, weight, bias, width, epsilon);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
