// Keys and values that a query will want soon.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/ops/attention_heads.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** What of a cache an operation reads of each head, in this order. */
enum class CacheParts { kKeys, kValues, kKeysAndValues };

/** A head of a sequence, and how many of its positions are read. */
struct CachedHead {
  int32_t sequence, head;
  int64_t positions;
  bool operator==(const CachedHead&) const = default;
};

/**
 * Goes ahead of a lone query through the cache and fetches what it will read: the keys of all positions, then
 * the values, then those of the head that comes next. A page has a head's rows in a run of 2 KiB in int8, of
 * 4 in bfloat16, and then comes another page, of which the processor's own prefetchers know nothing.
 *
 * It fetches 8 KiB ahead, 330 ns for a thread that gets 25 GB/s. A token after 127, 2 threads of a 2-core Zen
 * 5 server (ms; nothing fetched, 2 KiB ahead, 4, 8): int8 0.062, 0.042, 0.033, 0.029; bfloat16 0.089, 0.079,
 * 0.071, 0.069. In float32 a run has 8 KiB, and the processor by itself is faster: 0.120, 0.123, 0.129,
 * 0.130.
 */
class alignas(64) CacheAhead {
 public:
  /** Whether it is of use: for lone queries (of several the first fetches for the others, and this costs 9 %
   * of a prompt of 512 tokens), where runs are short. */
  static PERSIMMON_INLINE bool pays(int queries, const CacheView& cache, const AttentionShape& shape) {
    return queries == 1 && cache.pageTokens * shape.headDim * cachedBytes(cache.dtype) < kBytes;
  }

  CacheAhead(const CacheView& cache, const AttentionShape& shape, CacheParts parts)
      : cache_(cache),
        shape_(shape),
        rowBytes_(shape.headDim * cachedBytes(cache.dtype)),
        distance_(std::max<int64_t>(kBytes / rowBytes_, 1)),
        firstIsKeys_(parts != CacheParts::kValues),
        lastIsKeys_(parts == CacheParts::kKeys) {}

  /** The query reads `now` from its first row on, and goes on with `next`; of that no positions if there is
   * none. */
  PERSIMMON_INLINE void enter(const CachedHead& now, const CachedHead& next) {
    if (!(now == at_)) {
      fetched_ = 0;
      start(now);
    }
    next_ = next;
    fill();
  }

  /** The query is about to read so many rows more. */
  PERSIMMON_INLINE void read(int64_t rows) {
    fetched_ -= rows;
    fill();
  }

 private:
  static constexpr int64_t kBytes = 8192;

  PERSIMMON_INLINE void start(const CachedHead& head) {
    at_ = head;
    next_ = {};
    isKeys_ = firstIsKeys_;
    page_ = 0;
    unseen_ = at_.positions;
    left_ = 0;
  }

  PERSIMMON_INLINE void fill() {
    while (fetched_ < distance_ && (left_ > 0 || nextRun())) {
      const int64_t rows = std::min(distance_ - fetched_, left_);
      fetchRows(rows);
      row_ += rows;
      left_ -= rows;
      fetched_ += rows;
    }
  }

  /** False where nothing is left. */
  PERSIMMON_INLINE bool nextRun() {
    if (unseen_ == 0) {
      if (isKeys_ != lastIsKeys_) {
        isKeys_ = lastIsKeys_;
        page_ = 0;
        unseen_ = at_.positions;
      } else {
        if (next_.positions == 0) return false;
        start(next_);
      }
    }
    row_ = pageRow(cache_, shape_, at_.sequence, at_.head, page_++);
    left_ = std::min<int64_t>(cache_.pageTokens, unseen_);
    unseen_ -= left_;
    return true;
  }

  PERSIMMON_INLINE void fetchRows(int64_t rows) const {
    const void* numbers = isKeys_ ? cache_.keys : cache_.values;
    fetchBytes(static_cast<const char*>(numbers) + row_ * rowBytes_, rows * rowBytes_);
    const float* scales = isKeys_ ? cache_.keyScales : cache_.valueScales;
    if (cache_.dtype == DType::kInt8) {
      fetchBytes(reinterpret_cast<const char*>(scales + row_), rows * static_cast<int64_t>(sizeof(float)));
    }
  }

  static PERSIMMON_INLINE void fetchBytes(const char* bytes, int64_t count) {
    for (int64_t i = 0; i < count; i += 64) __builtin_prefetch(bytes + i, 0, 3);
  }

  const CacheView& cache_;
  const AttentionShape& shape_;
  const int64_t rowBytes_, distance_;
  const bool firstIsKeys_, lastIsKeys_;
  // Where it is: the head, the next page, how many positions lie in it and behind it; and of the page before
  // that the row to be fetched next, and how many are left.
  CachedHead at_{}, next_{};
  bool isKeys_ = true;
  int64_t page_ = 0, unseen_ = 0, row_ = 0, left_ = 0;
  // Rows that are fetched and not read.
  int64_t fetched_ = 0;
};

}  // namespace persimmon::cpu::PERSIMMON_ISA
