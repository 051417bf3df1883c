// Rotary position embedding (rotate-half, on the first rotaryDims of a head). 4 bytes read and 4 written per
// element.
#include "cpu/ops/attention_heads.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void rotary(ThreadPool& pool, float* out, const float* x, const AttentionShape& shape, const float* cos,
            const float* sin, const int32_t* positions) {
  const int64_t dim = shape.headDim, half = shape.rotaryDims / 2;
  parallelChunks(pool, shape.tokens * shape.heads, headGrain(shape), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t angles = positions[i / shape.heads] * half;
      rotateHead(out + i * dim, x + i * dim, cos + angles, sin + angles, shape.headDim, shape.rotaryDims);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
