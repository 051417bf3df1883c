// softmax(q . k * scale) . v over keys and values that are at hand, without a cache. They are copied to the
// layout of a cache with one long page, [head, position, dimension], and then attended to by the code of
// fusedAttention; so the bits are those that the model's attention gives for the same q, k and v.
#include "cpu/ops/attention_tasks.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void attention(ThreadPool& pool, float* z, const float* q, const float* k, const float* v, int64_t tokens,
               int64_t keys, int32_t heads, int32_t headDim, float scale, bool causal) {
  const int64_t dim = headDim, cacheFloats = keys * heads * dim;
  const AttentionShape shape = {tokens, heads, headDim, 0};
  const int64_t scoreStride = (keys + kLanes - 1) / kLanes * kLanes;
  const int64_t blockQueries = tokens < kQueryBlock ? tokens : kQueryBlock;
  const size_t listBytes = queryBlockScratch(pool, shape);
  const size_t tokenBytes = (2 * static_cast<size_t>(tokens) * sizeof(int32_t) + 63) / 64 * 64;
  pool.reserveScratch(listBytes + tokenBytes + 2 * static_cast<size_t>(cacheFloats) * sizeof(float),
                      static_cast<size_t>(blockQueries * scoreStride) * sizeof(float));
  auto* bytes = static_cast<unsigned char*>(pool.sharedScratch());
  auto* positions = reinterpret_cast<int32_t*>(bytes + listBytes);
  int32_t* sequences = positions + tokens;
  for (int64_t token = 0; token < tokens; ++token) {
    positions[token] = static_cast<int32_t>(causal ? token : keys - 1);
    sequences[token] = 0;
  }
  const int32_t firstPage = 0;
  auto* cachedKeys = reinterpret_cast<float*>(bytes + listBytes + tokenBytes);
  const CacheView cache = {cachedKeys, cachedKeys + cacheFloats, &firstPage, 1, static_cast<int32_t>(keys)};
  parallelChunks(pool, keys * heads, headGrain(shape), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t slot = (row % heads * keys + row / heads) * dim;
      copyRow(cachedKeys + slot, k + row * dim, dim);
      copyRow(cachedKeys + cacheFloats + slot, v + row * dim, dim);
    }
  });
  forEachQueryBlock(pool, shape, positions, sequences, cache, CacheParts::kKeysAndValues,
                    [&](int part, int64_t token, QueryBlock& block) {
                      attend({q, z, scale, scoreStride}, pool.threadScratch(part), token, block, shape,
                             cache);
                    });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
