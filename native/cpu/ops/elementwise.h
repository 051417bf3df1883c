// The loop of the operations that treat every element alike.
#pragma once

#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** out[i] = f(a, b), a and b sixteen elements of their arrays. */
template <class F>
PERSIMMON_INLINE void elementwise(ThreadPool& pool, float* out, const float* a, const float* b, int64_t count,
                                  F&& f) {
  // 16,384 elements take about as long as waking a thread.
  parallelChunks(pool, count, 16384, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) store(out + i, f(load(a + i), load(b + i)));
    if (i < end) {
      const int n = static_cast<int>(end - i);
      storePartial(out + i, f(loadPartial(a + i, n), loadPartial(b + i, n)), n);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
