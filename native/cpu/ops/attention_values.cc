// Attention pattern times values. Bytes per (token, head) in decode: 4 * headDim * (position + 1) of values
// read.
#include "cpu/ops/attention_tasks.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void attentionValues(ThreadPool& pool, float* z, const float* pattern, int64_t keys,
                     const AttentionShape& shape, const int32_t* positions, const int32_t* sequences,
                     const CacheView& cache) {
  pool.reserveScratch(queryBlockScratch(pool, shape), 0);
  forEachQueryBlock(pool, shape, positions, sequences, cache, CacheParts::kValues,
                    [&](int, int64_t token, QueryBlock& block) {
                      for (int query = 0; query < block.queries; ++query) {
                        const int64_t row = (token + query) * shape.heads + block.head;
                        block.scores[query] = const_cast<float*>(pattern) + row * keys;
                        block.z[query] = z + row * shape.headDim;
                      }
                      attentionWeightedValues(block, shape, cache);
                    });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
