// linearByInput for int4 weights and many rows, with activations rounded to bfloat16: a group of 32 inputs is
// widened to sixteen pairs. The bits are those of int4_by_input.h for activations that are so rounded.
#pragma once

#include "cpu/ops/int4_by_input.h"
#include "cpu/ops/matmul_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

#if defined(__AVX512BF16__)

constexpr int64_t kGroupPairs = kGroupInputs / 2;
constexpr int kInt4PairRows = 4;

/** For 64 outputs of M rows: sums += scale * (the sum over a group of x times the panel). */
template <int M>
PERSIMMON_INLINE void addPairPanel(float* sums, int64_t room, const InputPair* panel, const PairedRows& rows,
                                   int64_t row, const Vec (&scales)[kInt4Vectors]) {
  const InputPair* x = rows.begin(row);
  Vec partial[M][kInt4Vectors];
  for (auto& row : partial) {
    for (Vec& v : row) v = zero();
  }
  for (int64_t j = 0; j < kGroupPairs; ++j) {
    Pairs w[kInt4Vectors];
    for (int v = 0; v < kInt4Vectors; ++v) w[v] = load(panel + (j * kInt4Vectors + v) * kLanes);
    for (int m = 0; m < M; ++m) {
      const Pairs factor = broadcast(rows.at(x, m, j));
      for (int v = 0; v < kInt4Vectors; ++v) partial[m][v] = fma(factor, w[v], partial[m][v]);
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < kInt4Vectors; ++v) {
      float* sum = sums + m * room + v * kLanes;
      store(sum, fma(scales[v], partial[m][v], load(sum)));
    }
  }
}

/** 64 outputs of a group of inputs, whose weights lie `step` bytes apart. */
PERSIMMON_INLINE void widenPairs(InputPair* panel, const uint8_t* weight, int64_t step) {
  for (int64_t j = 0; j < kGroupPairs; ++j) {
    Vec first[kInt4Vectors], second[kInt4Vectors];
    loadOutputs(weight + 2 * j * step, first);
    loadOutputs(weight + (2 * j + 1) * step, second);
    for (int v = 0; v < kInt4Vectors; ++v) {
      store(panel + (j * kInt4Vectors + v) * kLanes, pairsOf(first[v], second[v]));
    }
  }
}

/** addInt4Inputs for rows [begin, end) of x, all inputs of the groups. */
inline void addInt4Pairs(const Int4ByInput& problem, const PairedRows& x, Int4Groups groups, float* sums,
                         int64_t room, int64_t begin, int64_t end, int64_t column, int64_t columns) {
  const int64_t outputs = problem.outputs(), step = outputs / 2;
  auto* panel = reinterpret_cast<InputPair*>(sums + (end - begin) * room);
  const auto* allScales = reinterpret_cast<const BFloat16*>(problem.scales);
  for (int64_t g = groups.begin; g < groups.end; ++g) {
    const PairedRows group = x.from(g * kGroupInputs);
    const uint8_t* weight = problem.weight + g * kGroupInputs * step + column / 2;
    for (int64_t c = 0; c < columns; c += kInt4Unit) {
      const uint8_t* next =
          c + kInt4Unit < columns ? weight + (c + kInt4Unit) / 2 : weight + kGroupInputs * step;
      for (int64_t j = 0; j < kGroupInputs; ++j) __builtin_prefetch(next + j * step, 0, 3);
      widenPairs(panel, weight + c / 2, step);
      Vec scales[kInt4Vectors];
      for (int v = 0; v < kInt4Vectors; ++v) {
        scales[v] = load(allScales + g * outputs + column + c + v * kLanes);
      }
      int64_t row = begin;
      float* rowSums = sums + c;
      for (; row + kInt4PairRows <= end; row += kInt4PairRows, rowSums += kInt4PairRows * room) {
        addPairPanel<kInt4PairRows>(rowSums, room, panel, group, row, scales);
      }
      for (; row < end; ++row, rowSums += room) addPairPanel<1>(rowSums, room, panel, group, row, scales);
    }
  }
}

#endif

}  // namespace persimmon::cpu::PERSIMMON_ISA
