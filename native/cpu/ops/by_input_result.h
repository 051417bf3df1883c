// What linearByInput does with finished sums.
#pragma once

#include <algorithm>

#include "cpu/ops/input_parts.h"
#include "cpu/ops/live_inputs.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

struct ByInputResult {
  float* out;
  const float* scales;  // of each output, or null
  Weight bias;
  int64_t rows, outFeatures;

  /** Sixteen outputs of a row: their sum, scaled, with the bias. */
  PERSIMMON_INLINE void finish(int64_t row, int64_t column, Vec sum) const {
    const int64_t left = outFeatures - column;
    if (scales != nullptr) sum = sum * loadUpTo(scales + column, left);
    // A sum that underflowed to -0 counts as 0: where zeros are left out it may be either.
    sum = sum + zero();
    if (bias.data != nullptr) sum = sum + loadWeight(bias, column, left);
    storeUpTo(out + row * outFeatures + column, sum, left);
  }
};

/** totals = sums of the first part, or totals + sums; a multiple of sixteen. */
PERSIMMON_INLINE void addPart(float* totals, const float* sums, int64_t count, bool isFirst) {
  for (int64_t i = 0; i < count; i += kLanes) {
    store(totals + i, isFirst ? load(sums + i) : load(totals + i) + load(sums + i));
  }
}

/** The result from the sums of all parts. */
inline void addParts(ThreadPool& pool, const ByInputResult& result, const PartialSums& partial, bool alone) {
  constexpr int64_t kColumns = 512;
  eachPiece(pool, (result.outFeatures + kColumns - 1) / kColumns, alone, [&](float*, int64_t piece) {
    const int64_t column = piece * kColumns, end = std::min(column + kColumns, result.outFeatures);
    for (int64_t row = 0; row < result.rows; ++row) {
      for (int64_t c = column; c < end; c += kLanes) result.finish(row, c, partial.total(row, c));
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
