// From the fused projection to separate q, k and v. 12 bytes read and 12 written per dimension of a head.
#include "cpu/ops/attention_heads.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void splitHeads(ThreadPool& pool, float* q, float* k, float* v, const float* qkv,
                const AttentionShape& shape) {
  const int64_t dim = shape.headDim;
  parallelChunks(pool, shape.tokens * shape.heads, headGrain(shape), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      copyRow(q + i * dim, qkv + i * 3 * dim, dim);
      copyRow(k + i * dim, qkv + (i * 3 + 1) * dim, dim);
      copyRow(v + i * dim, qkv + (i * 3 + 2) * dim, dim);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
