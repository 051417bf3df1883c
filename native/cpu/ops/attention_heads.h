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

/** Where the keys and the values of a head at a position lie: an offset in elements into either. */
PERSIMMON_INLINE int64_t cacheOffset(const CacheView& cache, const AttentionShape& shape, int32_t sequence,
                                     int32_t head, int64_t position) {
  const int64_t page =
      cache.pageTable[static_cast<int64_t>(sequence) * cache.pagesPerSequence + position / cache.pageTokens];
  return ((page * shape.heads + head) * cache.pageTokens + position % cache.pageTokens) * shape.headDim;
}

/** f(offset, begin, n) over the runs of positions [from, to) that lie one after another in a page. */
template <class F>
PERSIMMON_INLINE void forEachRun(const CacheView& cache, const AttentionShape& shape, int32_t sequence,
                                 int32_t head, int64_t from, int64_t to, F&& f) {
  while (from < to) {
    const int64_t pageEnd = (from / cache.pageTokens + 1) * cache.pageTokens;
    const int64_t end = pageEnd < to ? pageEnd : to;
    f(cacheOffset(cache, shape, sequence, head, from), from, end - from);
    from = end;
  }
}

/** Asks for n rows of a head, or nothing; the processor's own prefetchers stop at the end of 4 KiB. */
template <class T>
PERSIMMON_INLINE void fetchRows(const T* rows, int64_t n, int64_t headDim) {
  if (rows == nullptr) return;
  const auto* bytes = reinterpret_cast<const char*>(rows);
  const int64_t count = n * headDim * static_cast<int64_t>(sizeof(T));
  for (int64_t i = 0; i < count; i += 64) __builtin_prefetch(bytes + i, 0, 3);
}

/** How many (token, head) pairs make a piece of work worth a thread. */
PERSIMMON_INLINE int64_t headGrain(const AttentionShape& shape) {
  return shape.headDim >= 4096 ? 1 : 4096 / shape.headDim;
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
