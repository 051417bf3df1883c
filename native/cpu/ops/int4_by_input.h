// linearByInput for int4 weights: the live inputs of a group of 32 are widened into a panel that stays in the
// first-level cache, added up for each row, and the sum is scaled. Activations stay in float32, because after
// squared ReLU a few are far larger than the others.
//
// Bytes: half a byte for each weight of a live input, and 2 for each output and each group with a live input,
// which is 1/8 of what all weights would take. With 90 % zeros a whole int4 model reaches 85 % of the
// bandwidth (bench/RESULTS.md).
#pragma once

#include "cpu/isa.h"
#include "cpu/ops/live_inputs.h"
#include "cpu/simd/integer_dot.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int kInt4Vectors = static_cast<int>(kInt4Unit) / kLanes;
#if defined(__AVX512F__)
constexpr int kInt4PanelRows = 4;
#else
constexpr int kInt4PanelRows = 1;
#endif

struct Int4ByInput {
  float* out;
  const float* x;
  const uint8_t* weight;
  const uint16_t* scales;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;
  LiveInputs live;  // a chunk is a group
  int64_t outputs() const { return (outFeatures + kInt4Unit - 1) / kInt4Unit * kInt4Unit; }
};

/** The scales of one unit of outputs. */
PERSIMMON_INLINE void loadScales(const BFloat16* p, Vec (&scales)[kInt4Vectors]) {
  for (int v = 0; v < kInt4Vectors; ++v) scales[v] = load(p + v * kLanes);
}

/** For Units times 64 outputs of one row: sums += scale * (the sum over n inputs of x times their weights at
 * `w`, `step` bytes apart). The bits are those of addPanel. */
template <int Units>
PERSIMMON_INLINE void addOneRow(float* sums, const uint8_t* w, int64_t step, const float* x,
                                const int32_t* inputs, int64_t n, const BFloat16* scales) {
  Vec partial[Units][kInt4Vectors];
  PERSIMMON_UNROLL
  for (int u = 0; u < Units; ++u) {
    PERSIMMON_UNROLL
    for (int v = 0; v < kInt4Vectors; ++v) partial[u][v] = zero();
  }
  for (int64_t j = 0; j < n; ++j) {
    const Vec factor = broadcast(x[inputs[j]]);
    PERSIMMON_UNROLL
    for (int u = 0; u < Units; ++u) {
      Vec numbers[kInt4Vectors];
      loadOutputs(w + inputs[j] * step + u * kInt4Unit / 2, numbers);
      PERSIMMON_UNROLL
      for (int v = 0; v < kInt4Vectors; ++v) partial[u][v] = fma(factor, numbers[v], partial[u][v]);
    }
  }
  PERSIMMON_UNROLL
  for (int u = 0; u < Units; ++u) {
    Vec scale[kInt4Vectors];
    loadScales(scales + u * kInt4Unit, scale);
    PERSIMMON_UNROLL
    for (int v = 0; v < kInt4Vectors; ++v) {
      float* sum = sums + u * kInt4Unit + v * kLanes;
      store(sum, fma(scale[v], partial[u][v], load(sum)));
    }
  }
}

/** For 64 outputs of M rows: sums += scale * (the sum over n inputs of x times the panel). */
template <int M>
PERSIMMON_INLINE void addPanel(float* sums, int64_t room, const float* panel, const float* x, int64_t xRow,
                               const int32_t* inputs, int64_t n, const Vec (&scales)[kInt4Vectors]) {
  Vec partial[M][kInt4Vectors];
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < kInt4Vectors; ++v) partial[m][v] = zero();
  }
  for (int64_t j = 0; j < n; ++j) {
    Vec w[kInt4Vectors];
    for (int v = 0; v < kInt4Vectors; ++v) w[v] = load(panel + (j * kInt4Vectors + v) * kLanes);
    for (int m = 0; m < M; ++m) {
      const Vec factor = broadcast(x[m * xRow + inputs[j]]);
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

/** Groups [begin, end) of inputs. */
struct Int4Groups {
  int64_t begin, end;
};

/** Adds some groups to the sums of outputs [column, column + columns) of `rows` rows from x on, both
 * multiples of 64 or up to the end; `sums` has `room` numbers for each row, and room for a panel behind them.
 */
inline void addInt4Inputs(const Int4ByInput& problem, const float* x, Int4Groups groups, float* sums,
                          int64_t room, int64_t rows, int64_t column, int64_t columns) {
  const int64_t outputs = problem.outputs();
  float* panel = sums + rows * room;
  const auto* allScales = reinterpret_cast<const BFloat16*>(problem.scales);
  for (int64_t g = groups.begin; g < groups.end; ++g) {
    const int32_t* inputs = problem.live.inputs + problem.live.starts[g];
    const int64_t n = problem.live.starts[g + 1] - problem.live.starts[g];
    if (n == 0) continue;
    const int64_t next = g + 1 < groups.end ? problem.live.starts[g + 2] - problem.live.starts[g + 1] : 0;
    for (int64_t c = 0, width; c < columns; c += width) {
      const int64_t at = (column + c) / 2;
      // One row takes a whole line of each input.
      width = rows == 1 && columns - c >= 2 * kInt4Unit ? 2 * kInt4Unit : kInt4Unit;
      for (int64_t j = 0; j < next; ++j)
        __builtin_prefetch(problem.weight + inputs[n + j] * outputs / 2 + at, 0, 3);
      if (next > 0) {
        const BFloat16* ahead = allScales + (g + 1) * outputs + column + c;
        for (int64_t i = 0; i < width; i += kInt4Unit / 2) __builtin_prefetch(ahead + i, 0, 3);
      }
      const BFloat16* scalesHere = allScales + g * outputs + column + c;
      if (rows == 1) {
        const uint8_t* w = problem.weight + at;
        if (width > kInt4Unit) {
          addOneRow<2>(sums + c, w, outputs / 2, x, inputs, n, scalesHere);
        } else {
          addOneRow<1>(sums + c, w, outputs / 2, x, inputs, n, scalesHere);
        }
        continue;
      }
      Vec scales[kInt4Vectors];
      loadScales(scalesHere, scales);
      for (int64_t j = 0; j < n; ++j) {
        Vec w[kInt4Vectors];
        loadOutputs(problem.weight + inputs[j] * outputs / 2 + at, w);
        for (int v = 0; v < kInt4Vectors; ++v) store(panel + (j * kInt4Vectors + v) * kLanes, w[v]);
      }
      int64_t row = 0;
      for (; row + kInt4PanelRows <= rows; row += kInt4PanelRows) {
        addPanel<kInt4PanelRows>(sums + row * room + c, room, panel, x + row * problem.inFeatures,
                                 problem.inFeatures, inputs, n, scales);
      }
      for (; row < rows; ++row) {
        addPanel<1>(sums + row * room + c, room, panel, x + row * problem.inFeatures, problem.inFeatures,
                    inputs, n, scales);
      }
    }
  }
}

/** Sixteen outputs of a row: their sum with the bias. */
PERSIMMON_INLINE void finish(const Int4ByInput& problem, int64_t row, int64_t column, Vec sum) {
  const int64_t left = problem.outFeatures - column;
  if (problem.bias.data != nullptr) sum = sum + loadWeight(problem.bias, column, left);
  storeUpTo(problem.out + row * problem.outFeatures + column, sum, left);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
