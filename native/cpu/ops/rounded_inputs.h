// Activations rounded to bfloat16, for MatmulPrecision::kMedium.
#pragma once

#include <algorithm>

#include "core/thread_pool.h"
#include "cpu/ops/bfloat16_rounding.h"
#include "cpu/ops/matmul_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Whether products with weights that are not float32 round their activations. */
PERSIMMON_INLINE bool roundsInputs(const ThreadPool& pool) {
  return kHasPairs && pool.matmulPrecision() == MatmulPrecision::kMedium;
}

/** The numbers of x, rounded and widened again. */
inline const float* roundInputs(float* rounded, const float* x, int64_t count) {
  uint16_t halves[kLanes];
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t n = count - i < kLanes ? count - i : kLanes;
    roundRow(halves, x + i, n);
    storeUpTo(rounded + i, load(reinterpret_cast<const BFloat16*>(halves)), n);
  }
  return rounded;
}

/** The rows of x in pairs of inputs, in the shared scratch; the last pair is filled up with a zero. */
inline PairedRows pairedRows(ThreadPool& pool, const float* x, int64_t rows, int64_t inFeatures,
                             size_t perThread) {
  constexpr int64_t kRows = PairedRows::kPairRows;
  const int64_t pairs = (inFeatures + 1) / 2, panels = (rows + kRows - 1) / kRows;
  pool.reserveScratch(static_cast<size_t>(panels * kRows * pairs) * sizeof(InputPair), perThread);
  auto* all = static_cast<InputPair*>(pool.sharedScratch());
  parallelChunks(pool, panels, 1, [=](int64_t begin, int64_t end) {
    constexpr int64_t kPiece = 256;
    uint16_t numbers[2 * kPiece];
    for (int64_t row = begin * kRows; row < std::min(end * kRows, rows); ++row) {
      InputPair* target = all + row / kRows * kRows * pairs + row % kRows;
      for (int64_t pair = 0; pair < pairs; pair += kPiece) {
        const int64_t n = std::min(2 * kPiece, inFeatures - 2 * pair);
        roundRow(numbers, x + row * inFeatures + 2 * pair, n);
        if (n % 2 != 0) numbers[n] = 0;
        for (int64_t i = 0; i < (n + 1) / 2; ++i) {
          target[(pair + i) * kRows] = {{numbers[2 * i + 1]}, {numbers[2 * i]}};
        }
      }
    }
  });
  return {all, pairs * kRows};
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
