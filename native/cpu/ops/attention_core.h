// Scores, softmax and weighted values of one head, for a block of queries of one sequence. fusedAttention,
// attentionPattern and attentionValues all come here, so they agree bit for bit; and since every query has
// its own sums in an order that its own position fixes, the block it shares does not matter either.
#pragma once

#include "cpu/ops/attention_heads.h"
#include "cpu/ops/cache_ahead.h"
#include "cpu/ops/softmax.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Queries that go through the cache together: a key or value is fetched once for all of them. */
constexpr int kQueryBlock = 8;

/** One head of up to kQueryBlock tokens of a sequence. counts[i]: keys that query i sees, its position + 1.
 */
struct QueryBlock {
  int queries;
  int32_t sequence;
  int32_t head;
  const float* q[kQueryBlock];
  float* scores[kQueryBlock];
  float* z[kQueryBlock];
  int64_t counts[kQueryBlock];
  // Fetches the keys and values of a lone query, where that pays.
  CacheAhead* ahead = nullptr;

  PERSIMMON_INLINE int64_t longest() const {
    int64_t longest = 0;
    for (int i = 0; i < queries; ++i) longest = counts[i] > longest ? counts[i] : longest;
    return longest;
  }
  PERSIMMON_INLINE int64_t shortest() const {
    int64_t shortest = counts[0];
    for (int i = 1; i < queries; ++i) shortest = counts[i] < shortest ? counts[i] : shortest;
    return shortest;
  }
};

/** scores[0..16) = scale * (q . each of 16 keys that lie `headDim` apart). */
template <class T>
PERSIMMON_INLINE void scoreSixteen(float* scores, const float* q, const T* keys, int32_t headDim,
                                   float scale) {
  Vec sums[16];
  for (int key = 0; key < 16; ++key) sums[key] = zero();
  int32_t i = 0;
  // Key by key, in order of address.
  for (; i + 4 * kLanes <= headDim; i += 4 * kLanes) {
    const Vec x[4] = {load(q + i), load(q + i + kLanes), load(q + i + 2 * kLanes), load(q + i + 3 * kLanes)};
#pragma GCC unroll 16
    for (int key = 0; key < 16; ++key) {
      const T* row = keys + key * headDim + i;
      for (int v = 0; v < 4; ++v) sums[key] = fma(x[v], load(row + v * kLanes), sums[key]);
    }
  }
  for (; i + kLanes <= headDim; i += kLanes) {
    const Vec x = load(q + i);
#pragma GCC unroll 16
    for (int key = 0; key < 16; ++key) sums[key] = fma(x, load(keys + key * headDim + i), sums[key]);
  }
  if (i < headDim) {
    const int n = headDim - i;
    const Vec x = loadPartial(q + i, n);
    for (int key = 0; key < 16; ++key)
      sums[key] = fma(x, loadPartial(keys + key * headDim + i, n), sums[key]);
  }
  store(scores, reduceAdd16(sums) * broadcast(scale));
}

template <class T>
PERSIMMON_INLINE float scoreOne(const float* q, const T* key, int32_t headDim, float scale) {
  Vec sum = zero();
  for (int32_t i = 0; i < headDim; i += kLanes) {
    sum = fma(loadUpTo(q + i, headDim - i), loadUpTo(key + i, headDim - i), sum);
  }
  return reduceAdd(sum) * scale;
}

template <class T>
inline void scoreKeys(const QueryBlock& block, const AttentionShape& shape, const CacheView& cache,
                      const T* cachedKeys, float scale) {
  const int32_t dim = shape.headDim;
  forEachRun(cache, shape, block.sequence, block.head, 0, block.longest(),
             [&](int64_t offset, int64_t begin, int64_t run) {
               const T* keys = cachedKeys + offset;
               const float* scales = kHasScales<T> ? cache.keyScales + offset / dim : nullptr;
               for (int64_t i = 0; i < run; i += 16) {
                 if (block.ahead != nullptr) block.ahead->read(run - i < 16 ? run - i : 16);
                 for (int query = 0; query < block.queries; ++query) {
                   const int64_t seen = block.counts[query] - begin - i;
                   int64_t n = run - i < seen ? run - i : seen;
                   float* scores = block.scores[query] + begin + i;
                   if (n >= 16) {
                     scoreSixteen(scores, block.q[query], keys + i * dim, dim, scale);
                     if constexpr (kHasScales<T>) store(scores, load(scores) * load(scales + i));
                   } else {
                     for (int64_t key = 0; key < n; ++key) {
                       scores[key] = scoreOne(block.q[query], keys + (i + key) * dim, dim, scale);
                       if constexpr (kHasScales<T>) scores[key] *= scales[i + key];
                     }
                   }
                 }
               }
             });
}

/** Fills scores[query][0..counts[query]). */
inline void attentionScores(const QueryBlock& block, const AttentionShape& shape, const CacheView& cache,
                            float scale) {
  withCache(cache, [&](const auto* keys, const auto*) { scoreKeys(block, shape, cache, keys, scale); });
}

/** 1 / sqrt(headDim). */
PERSIMMON_INLINE float usualScale(const AttentionShape& shape) {
  return 1.0f / __builtin_sqrtf(static_cast<float>(shape.headDim));
}

/** Values are added up in chunks of this many keys, and the chunks' sums in order: fewer roundings in a long
 * sum. */
constexpr int64_t kValueChunk = 512;

/**
 * sums[query][0..16 * V) += weights[query][key] * values[key], for n keys and Q queries; the last vector has
 * `lanes` lanes. sums lie kLanes * 4 floats apart. `scales`: of int8 values, one a key.
 */
template <int Q, int V, class T>
PERSIMMON_INLINE void addValues(float* sums, const float* const* weights, int64_t begin, const T* values,
                                const float* scales, int64_t n, int32_t headDim, int lanes) {
  Vec sum[Q][V];
  for (int query = 0; query < Q; ++query) {
    for (int v = 0; v < V; ++v) sum[query][v] = load(sums + (query * 4 + v) * kLanes);
  }
  for (int64_t key = 0; key < n; ++key) {
    const T* value = values + key * headDim;
    Vec x[V];
    for (int v = 0; v < V; ++v) x[v] = V == 1 ? loadUpTo(value, lanes) : load(value + v * kLanes);
    for (int query = 0; query < Q; ++query) {
      float share = weights[query][begin + key];
      if constexpr (kHasScales<T>) share *= scales[key];
      const Vec weight = broadcast(share);
      for (int v = 0; v < V; ++v) sum[query][v] = fma(weight, x[v], sum[query][v]);
    }
  }
  for (int query = 0; query < Q; ++query) {
    for (int v = 0; v < V; ++v) store(sums + (query * 4 + v) * kLanes, sum[query][v]);
  }
}

template <int V, class T>
PERSIMMON_INLINE void addValues(int queries, float* sums, const float* const* weights, int64_t begin,
                                const T* values, const float* scales, int64_t n, int32_t headDim, int lanes) {
  int query = 0;
  for (; query + 4 <= queries; query += 4) {
    addValues<4, V>(sums + query * 4 * kLanes, weights + query, begin, values, scales, n, headDim, lanes);
  }
  for (; query < queries; ++query) {
    addValues<1, V>(sums + query * 4 * kLanes, weights + query, begin, values, scales, n, headDim, lanes);
  }
}

template <class T>
inline void weighValues(const QueryBlock& block, const AttentionShape& shape, const CacheView& cache,
                        const T* cachedValues) {
  const int32_t dim = shape.headDim;
  const int64_t shared = block.shortest();
  for (int32_t d = 0; d < dim;) {
    const bool wide = d + 4 * kLanes <= dim;
    const int32_t width = wide ? 4 * kLanes : (dim - d < kLanes ? dim - d : kLanes);
    for (int query = 0; query < block.queries; ++query) {
      for (int32_t i = 0; i < width; i += kLanes) storeUpTo(block.z[query] + d + i, zero(), width - i);
    }
    float sums[kQueryBlock * 4 * kLanes];
    // Keys [from, to) within a chunk, for queries [first, first + queries).
    const auto addRange = [&](int first, int queries, int64_t from, int64_t to) {
      forEachRun(cache, shape, block.sequence, block.head, from, to,
                 [&](int64_t offset, int64_t begin, int64_t n) {
                   float* target = sums + first * 4 * kLanes;
                   const T* values = cachedValues + offset + d;
                   const float* scales = kHasScales<T> ? cache.valueScales + offset / dim : nullptr;
                   const int64_t step = block.ahead != nullptr ? 16 : n;
                   for (int64_t i = 0; i < n; i += step) {
                     const int64_t count = step < n - i ? step : n - i;
                     const T* rows = values + i * dim;
                     const float* ofRows = kHasScales<T> ? scales + i : nullptr;
                     // Whole rows: the first columns fetch for the others.
                     if (block.ahead != nullptr && d == 0) block.ahead->read(count);
                     if (wide) {
                       addValues<4>(queries, target, block.scores + first, begin + i, rows, ofRows, count,
                                    dim, kLanes);
                     } else {
                       addValues<1>(queries, target, block.scores + first, begin + i, rows, ofRows, count,
                                    dim, width);
                     }
                   }
                 });
    };
    const int64_t longest = block.longest();
    for (int64_t chunk = 0; chunk < longest; chunk += kValueChunk) {
      const int64_t end = chunk + kValueChunk;
      for (int i = 0; i < block.queries * 4; ++i) store(sums + i * kLanes, zero());
      // All queries together as far as all of them see, and then each on its own: a key that a query does not
      // see must not even be multiplied by zero, for its value may be infinite.
      const int64_t together = shared < end ? shared : end;
      if (chunk < together) addRange(0, block.queries, chunk, together);
      for (int query = 0; query < block.queries; ++query) {
        const int64_t from = chunk > together ? chunk : together;
        const int64_t to = block.counts[query] < end ? block.counts[query] : end;
        if (from < to) addRange(query, 1, from, to);
        if (to <= chunk) continue;
        for (int32_t i = 0; i < width; i += kLanes) {
          float* z = block.z[query] + d + i;
          storeUpTo(z, loadUpTo(z, width - i) + load(sums + query * 4 * kLanes + i), width - i);
        }
      }
    }
    d += width;
  }
}

/** z[query] = sum over keys of weights[query][key] * value[key]. */
inline void attentionWeightedValues(const QueryBlock& block, const AttentionShape& shape,
                                    const CacheView& cache) {
  withCache(cache, [&](const auto*, const auto* values) { weighValues(block, shape, cache, values); });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
