// softmax(q . k / sqrt(headDim)) written out. Bytes per (token, head) in decode: 4 * headDim * (position + 1)
// of keys read, 4 * keys of pattern written.
#include "cpu/ops/attention_tasks.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void attentionPattern(ThreadPool& pool, float* pattern, int64_t keys, const float* q,
                      const AttentionShape& shape, const int32_t* positions, const int32_t* sequences,
                      const CacheView& cache) {
  pool.reserveScratch(queryBlockScratch(pool, shape), 0);
  forEachQueryBlock(pool, shape, positions, sequences, cache, CacheParts::kKeys,
                    [&](int, int64_t token, QueryBlock& block) {
                      for (int query = 0; query < block.queries; ++query) {
                        const int64_t row = (token + query) * shape.heads + block.head;
                        block.q[query] = q + row * shape.headDim;
                        block.scores[query] = pattern + row * keys;
                      }
                      attentionScores(block, shape, cache, usualScale(shape));
                      for (int query = 0; query < block.queries; ++query) {
                        float* row = block.scores[query];
                        softmaxRow(row, row, block.counts[query]);
                        for (int64_t i = block.counts[query]; i < keys; ++i) row[i] = 0.0f;
                      }
                    });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
