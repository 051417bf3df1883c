// Keys and values of new tokens to their slots. 8 bytes read and 8 (of bfloat16 4, of int8 2) written per
// dimension of a head; of int8 8 bytes of scales beside them.
#include "cpu/ops/attention_heads.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void cacheAppend(ThreadPool& pool, const float* k, const float* v, const AttentionShape& shape,
                 const int32_t* positions, const int32_t* sequences, const CacheView& cache) {
  const int64_t dim = shape.headDim;
  parallelChunks(pool, shape.tokens * shape.heads, headGrain(shape), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t token = i / shape.heads;
      const int64_t offset = cacheOffset(cache, shape, sequences[token],
                                         static_cast<int32_t>(i % shape.heads), positions[token]);
      storeKey(cache, offset, k + i * dim, dim);
      storeValue(cache, offset, v + i * dim, dim);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
