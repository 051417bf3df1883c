// The maximum of a row and the sum of its exponentials, shared by softmax, logSoftmax, gatherLogProbability
// and attention. The sum is taken in blocks of 4,096, and the block sums are added in double in order of
// position, so that blocks can go to different threads.
#pragma once

#include "cpu/simd/exp.h"

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int64_t kSoftmaxBlock = 4096;

struct SoftmaxStatistics {
  float max;
  float sum;
};

/** Largest value; NaN is passed over, and -inf if there is nothing else. */
PERSIMMON_INLINE float maxOf(const float* x, int64_t n) {
  const Vec lowest = broadcast(-__builtin_inff());
  Vec best[4] = {lowest, lowest, lowest, lowest};
  int64_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (int part = 0; part < 4; ++part) best[part] = max(load(x + i + part * kLanes), best[part]);
  }
  for (; i + kLanes <= n; i += kLanes) best[0] = max(load(x + i), best[0]);
  float result = reduceMax(max(max(best[0], best[1]), max(best[2], best[3])));
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

/** The last, partial vector of a row, with -inf in the lanes past the end. */
PERSIMMON_INLINE Vec loadTail(const float* x, int64_t n) {
  float lanes[kLanes];
  store(lanes, broadcast(-__builtin_inff()));
  storePartial(lanes, loadPartial(x, static_cast<int>(n)), static_cast<int>(n));
  return load(lanes);
}

/** Sum of exp(x - max) over at most one block; stores the terms if `out` is not null. */
PERSIMMON_INLINE float sumOfExp(float* out, const float* x, int64_t n, float max) {
  const Vec shift = broadcast(max);
  Vec sum = zero();
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec e = expNonPositive(load(x + i) - shift);
    if (out != nullptr) store(out + i, e);
    sum = sum + e;
  }
  if (i < n) {
    // exp of -inf adds nothing; of -inf - -inf = NaN, in a row of -inf, the result is NaN either way.
    const Vec e = expNonPositive(loadTail(x + i, n - i) - shift);
    if (out != nullptr) storePartial(out + i, e, static_cast<int>(n - i));
    sum = sum + e;
  }
  return reduceAdd(sum);
}

/** softmax of one row on one thread. `out` may be `x`. */
PERSIMMON_INLINE void softmaxRow(float* out, const float* x, int64_t n) {
  const float max = maxOf(x, n);
  double sum = 0;
  for (int64_t i = 0; i < n; i += kSoftmaxBlock) {
    sum += sumOfExp(out + i, x + i, n - i < kSoftmaxBlock ? n - i : kSoftmaxBlock, max);
  }
  const Vec scale = broadcast(1.0f / static_cast<float>(sum));
  for (int64_t i = 0; i < n; i += kLanes) storeUpTo(out + i, loadUpTo(out + i, n - i) * scale, n - i);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
