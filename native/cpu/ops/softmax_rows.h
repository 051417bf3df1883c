// Softmax statistics of many rows on all threads.
#pragma once

#include "cpu/isa.h"
#include "cpu/ops/softmax.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** f(block, row, begin, n) over the blocks of all rows: one row of 262,144 logits keeps every thread busy. */
template <class F>
void forEachSoftmaxBlock(ThreadPool& pool, int64_t rows, int64_t width, F&& f) {
  const int64_t blocks = (width + kSoftmaxBlock - 1) / kSoftmaxBlock;
  const int64_t grain = width >= kSoftmaxBlock ? 4 : 4 * kSoftmaxBlock / width;
  parallelChunks(pool, rows * blocks, grain, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      const int64_t begin = i % blocks * kSoftmaxBlock;
      f(i, i / blocks, begin, width - begin < kSoftmaxBlock ? width - begin : kSoftmaxBlock);
    }
  });
}

/** For each row, its maximum and sum of exponentials, in the pool's shared scratch. */
inline const SoftmaxStatistics* softmaxStatistics(ThreadPool& pool, const float* x, int64_t rows,
                                                  int64_t width) {
  const int64_t blocks = (width + kSoftmaxBlock - 1) / kSoftmaxBlock;
  pool.reserveScratch(static_cast<size_t>(rows) * (sizeof(SoftmaxStatistics) + blocks * sizeof(float)), 0);
  auto* statistics = static_cast<SoftmaxStatistics*>(pool.sharedScratch());
  auto* partial = reinterpret_cast<float*>(statistics + rows);
  forEachSoftmaxBlock(pool, rows, width, [&](int64_t block, int64_t row, int64_t begin, int64_t n) {
    partial[block] = maxOf(x + row * width + begin, n);
  });
  for (int64_t row = 0; row < rows; ++row) statistics[row].max = maxOf(partial + row * blocks, blocks);
  forEachSoftmaxBlock(pool, rows, width, [&](int64_t block, int64_t row, int64_t begin, int64_t n) {
    partial[block] = sumOfExp(nullptr, x + row * width + begin, n, statistics[row].max);
  });
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t i = 0; i < blocks; ++i) sum += partial[row * blocks + i];
    statistics[row].sum = static_cast<float>(sum);
  }
  return statistics;
}

/** What logSoftmax subtracts from x - max. */
PERSIMMON_INLINE float logOfSum(const SoftmaxStatistics& row) {
  return static_cast<float>(__builtin_log(static_cast<double>(row.sum)));
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
