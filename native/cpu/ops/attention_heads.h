// What happens to one head of one token: layout, rotation and the way to the cache.
#pragma once

#include "cpu/isa.h"
#include "cpu/ops/bfloat16_rounding.h"
#include "cpu/ops/int8_rounding.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

PERSIMMON_INLINE void copyRow(float* out, const float* x, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) storeUpTo(out + i, loadUpTo(x + i, n - i), n - i);
}

/** A row of keys, or of values, to its place `offset` elements from their beginning, rounded to their type.
 */
PERSIMMON_INLINE void storeInCache(DType dtype, void* rows, float* scales, int64_t offset, const float* x,
                                   int64_t n) {
  if (dtype == DType::kInt8) {
    scales[offset / n] = roundRowToInt8(static_cast<int8_t*>(rows) + offset, x, n);
  } else if (dtype == DType::kBFloat16) {
    roundRow(static_cast<uint16_t*>(rows) + offset, x, n);
  } else {
    copyRow(static_cast<float*>(rows) + offset, x, n);
  }
}
PERSIMMON_INLINE void storeKey(const CacheView& cache, int64_t offset, const float* x, int64_t n) {
  storeInCache(cache.dtype, cache.keys, cache.keyScales, offset, x, n);
}
PERSIMMON_INLINE void storeValue(const CacheView& cache, int64_t offset, const float* x, int64_t n) {
  storeInCache(cache.dtype, cache.values, cache.valueScales, offset, x, n);
}

/** Whether rows of this type are whole numbers with a scale for each. */
template <class T>
constexpr bool kHasScales = false;
template <>
constexpr bool kHasScales<int8_t> = true;

/** f(keys, values), both float*, BFloat16* or int8_t*. */
template <class F>
PERSIMMON_INLINE void withCache(const CacheView& cache, F&& f) {
  if (cache.dtype == DType::kInt8) {
    f(static_cast<int8_t*>(cache.keys), static_cast<int8_t*>(cache.values));
  } else if (cache.dtype == DType::kBFloat16) {
    f(static_cast<BFloat16*>(cache.keys), static_cast<BFloat16*>(cache.values));
  } else {
    f(static_cast<float*>(cache.keys), static_cast<float*>(cache.values));
  }
}

/** Bytes of a number in a cache of this type. */
constexpr int64_t cachedBytes(DType dtype) {
  return dtype == DType::kInt8 ? 1 : dtype == DType::kBFloat16 ? 2 : 4;
}

/** Rotate-half of one head; cos and sin are the token's rows of rotaryDims / 2 values. `out` may be `x`. */
PERSIMMON_INLINE void rotateHead(float* out, const float* x, const float* cos, const float* sin,
                                 int32_t headDim, int32_t rotaryDims) {
  const int32_t half = rotaryDims / 2;
  for (int32_t i = 0; i < half; i += kLanes) {
    const int32_t n = half - i;
    const Vec c = loadUpTo(cos + i, n), s = loadUpTo(sin + i, n);
    const Vec first = loadUpTo(x + i, n), second = loadUpTo(x + half + i, n);
    // Products first and then their sum: a fused step would favour one of the two.
    storeUpTo(out + i, first * c - second * s, n);
    storeUpTo(out + half + i, second * c + first * s, n);
  }
  if (out != x) copyRow(out + rotaryDims, x + rotaryDims, headDim - rotaryDims);
}

/** The row of keys, or of values, where page `index` of a sequence begins for a head. */
PERSIMMON_INLINE int64_t pageRow(const CacheView& cache, const AttentionShape& shape, int32_t sequence,
                                 int32_t head, int64_t index) {
  const int64_t page = cache.pageTable[static_cast<int64_t>(sequence) * cache.pagesPerSequence + index];
  return (page * shape.heads + head) * cache.pageTokens;
}

/** Where the keys and the values of a head at a position lie: an offset in elements into either. */
PERSIMMON_INLINE int64_t cacheOffset(const CacheView& cache, const AttentionShape& shape, int32_t sequence,
                                     int32_t head, int64_t position) {
  const int64_t row = pageRow(cache, shape, sequence, head, position / cache.pageTokens);
  return (row + position % cache.pageTokens) * shape.headDim;
}

/** f(offset, begin, n) over the runs of positions [from, to) that lie one after another in a page. */
template <class F>
PERSIMMON_INLINE void forEachRun(const CacheView& cache, const AttentionShape& shape, int32_t sequence,
                                 int32_t head, int64_t from, int64_t to, F&& f) {
  // One division in all: it takes as long as the products of several keys.
  int64_t index = from / cache.pageTokens, slot = from - index * cache.pageTokens;
  for (; from < to; ++index, slot = 0) {
    const int64_t left = cache.pageTokens - slot, n = left < to - from ? left : to - from;
    f((pageRow(cache, shape, sequence, head, index) + slot) * shape.headDim, from, n);
    from += n;
  }
}

/** How many (token, head) pairs make a piece of work worth a thread. */
PERSIMMON_INLINE int64_t headGrain(const AttentionShape& shape) {
  return shape.headDim >= 4096 ? 1 : 4096 / shape.headDim;
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
