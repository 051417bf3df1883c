// Attention in two passes over the threads: (1) LayerNorm, rotation and append of every head of every token,
// (2) scores, softmax and values per head and block of queries, the scores in the thread's scratch.
//
// Bytes per token in decode: 8 * heads * headDim * (position + 1), keys and values read once; half of that
// from a bfloat16 cache, and 2 * heads * (headDim + 4) * (position + 1) from an int8 one with its scales.
// native_bench, 64 heads of 64, 2 threads of a 2-core Zen 5 server (EPYC), pure read 50 GB/s in the same
// process, each layer's cache from memory:
//   1 token after 127: 0.112 ms (74 %), from bfloat16 0.068 (63 %), from int8 0.030 (77 %);
//   after 16,383: 13.4 ms (80 %), 9.0 (60 %), 3.5 (80 %); see cache_ahead.h
//   prompts of 512 tokens: 11 ms (190 GFLOP/s); of 2,048: 149 ms (231 GFLOP/s, 47 % of peak)
// CPU time of one thread of the same machine under a load of 9, int8 beside bfloat16 and float32: 1 token
// after 2,047: 1.6 ms, 2.1, 3.5; after 16,383: 14, 17, 28.
// With fewer (token, head) pairs than threads, threads idle: no model with under 16 heads is meant for a
// large machine.
#include "cpu/ops/attention_tasks.h"
#include "cpu/ops/layer_norm.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

/** As in decode; sequences in order, else false. */
bool isOneTokenOfEach(const int32_t* sequences, int64_t tokens) {
  for (int64_t token = 1; token < tokens; ++token) {
    if (sequences[token] <= sequences[token - 1]) return false;
  }
  return true;
}

}  // namespace

void fusedAttention(ThreadPool& pool, float* z, const float* qkv, const AttentionShape& shape,
                    Weight qNormWeight, Weight qNormBias, Weight kNormWeight, Weight kNormBias, float epsilon,
                    const float* cos, const float* sin, const int32_t* positions, const int32_t* sequences,
                    const CacheView& cache, const AttentionTaps& taps) {
  const int64_t dim = shape.headDim, half = shape.rotaryDims / 2, rows = shape.tokens * shape.heads;
  if (rows == 0) return;
  int64_t longest = 0;
  for (int64_t token = 0; token < shape.tokens; ++token)
    longest = positions[token] >= longest ? positions[token] + 1 : longest;
  const int64_t scoreStride = (longest + kLanes - 1) / kLanes * kLanes;
  // The rotated queries, and the rotated keys before they are rounded, go to their tap if there is one, else
  // to the shared scratch behind the list of blocks. Keys that are not rounded go straight to the cache.
  const bool rounds = cache.dtype != DType::kFloat32;
  const size_t listBytes = queryBlockScratch(pool, shape),
               rowBytes = static_cast<size_t>(rows * dim) * sizeof(float);
  const size_t queryBytes = taps.qRot != nullptr ? 0 : rowBytes,
               keyBytes = rounds && taps.kRot == nullptr ? rowBytes : 0;
  const int blockQueries = shape.tokens < kQueryBlock ? static_cast<int>(shape.tokens) : kQueryBlock;
  pool.reserveScratch(listBytes + queryBytes + keyBytes,
                      static_cast<size_t>(blockQueries * scoreStride) * sizeof(float));
  auto* scratch = static_cast<unsigned char*>(pool.sharedScratch()) + listBytes;
  float* qRot = taps.qRot != nullptr ? taps.qRot : reinterpret_cast<float*>(scratch);
  float* kRot = taps.kRot != nullptr ? taps.kRot : reinterpret_cast<float*>(scratch + queryBytes);

  // `target`: where the rotated head goes. The tap before rotation, if wanted, is written on the way.
  const auto normAndRotate = [&](float* target, float* tap, const float* x, Weight weight, Weight bias,
                                 int64_t angles) {
    if (weight.data != nullptr) {
      layerNormRow(target, x, weight, bias, dim, epsilon);
      x = target;
    }
    if (tap != nullptr) copyRow(tap, x, dim);
    rotateHead(target, x, cos + angles, sin + angles, shape.headDim, shape.rotaryDims);
  };
  const auto append = [&](int64_t row) {
    const int64_t token = row / shape.heads, angles = positions[token] * half;
    const float* x = qkv + row * 3 * dim;
    const int64_t slot = cacheOffset(cache, shape, sequences[token], static_cast<int32_t>(row % shape.heads),
                                     positions[token]);
    const auto tapOf = [&](float* tap) { return tap != nullptr ? tap + row * dim : nullptr; };
    normAndRotate(qRot + row * dim, tapOf(taps.q), x, qNormWeight, qNormBias, angles);
    float* key = rounds ? kRot + row * dim : static_cast<float*>(cache.keys) + slot;
    normAndRotate(key, tapOf(taps.k), x + dim, kNormWeight, kNormBias, angles);
    if (rounds) {
      storeKey(cache, slot, key, dim);
    } else if (taps.kRot != nullptr) {
      copyRow(kRot + row * dim, key, dim);
    }
    storeValue(cache, slot, x + 2 * dim, dim);
    if (taps.v != nullptr) copyRow(taps.v + row * dim, x + 2 * dim, dim);
  };
  // Where nobody reads what another token appends, each head does so before it looks for itself.
  const bool apart = isOneTokenOfEach(sequences, shape.tokens);
  if (!apart) {
    parallelChunks(pool, rows, headGrain(shape), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) append(row);
    });
  }

  const AttentionRows attended = {qRot, z, usualScale(shape), scoreStride};
  forEachQueryBlock(pool, shape, positions, sequences, cache, CacheParts::kKeysAndValues,
                    [&](int part, int64_t token, QueryBlock& block) {
                      if (apart) append(token * shape.heads + block.head);
                      attend(attended, pool.threadScratch(part), token, block, shape, cache);
                    });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
