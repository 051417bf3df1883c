// linearByInput for a few rows: the weights of live inputs stream from memory once.
//
// A thread takes a part of the inputs and goes through the live ones kNumbers (or twice as many) at a time,
// whose weights for some outputs it holds in registers while all rows pass. The sums wait in the first- or
// second-level cache.
#pragma once

#include <type_traits>

#include "cpu/ops/bfloat16_rounding.h"
#include "cpu/ops/by_input_result.h"
#include "cpu/simd/pairs.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

#if defined(__AVX512F__)
constexpr bool kHasLongRegisters = true;
#else
constexpr bool kHasLongRegisters = false;
#endif

// Weights in the registers: so many numbers (one input, or a pair) by so many vectors of sixteen outputs
// each. With fewer numbers the sums pass more often, with fewer outputs the lists of weights. Two threads of
// a Zen 5 server, 16384 x 4096 in bfloat16: pairs 6 by 4 instead of 8 by 2 take 4.6 ms instead of 5.1 with 16
// rows; single inputs 6.6 instead of 6.7, but 1.59 instead of 1.45 with one row of which half is zero.
template <class Number>
constexpr int kNumbers = kHasLongRegisters ? 8 : 4;
template <class Number>
constexpr int kStreamVectors = kHasLongRegisters ? 2 : 1;
template <>
constexpr int kNumbers<InputPair> = 6;
template <>
constexpr int kStreamVectors<InputPair> = 4;
template <class Number>
constexpr int kStreamColumns = kStreamVectors<Number> * kLanes;
/** How far ahead of its use each row of weights is fetched: one row of bfloat16 takes 3.4 ms, 1.7 with half
 * of the inputs live and 0.35 with a tenth; 512 bytes ahead 3.55, 1.8 and 0.37. */
constexpr int64_t kStreamAheadBytes = 1024;

template <class T>
struct ByInput {
  ByInputResult result;
  const float* x;
  const T* weight;
  int64_t inFeatures;
};

/** Weights of one number for kStreamColumns<Number> outputs, from rows of weights that begin there; `left`
 * outputs are there. */
template <class T>
PERSIMMON_INLINE void loadNumber(const T* const* rows, int64_t column, int64_t left, Vec* w) {
  for (int v = 0; v < kStreamVectors<float>; ++v) {
    const int64_t n = left - v * kLanes;
    w[v] = n > 0 ? loadUpTo(rows[0] + column + v * kLanes, n) : zero();
  }
}

template <class Number>
constexpr int kPlaces = 1;  // inputs in a number
template <>
constexpr int kPlaces<InputPair> = 2;

PERSIMMON_INLINE void packNumbers(float* numbers, const float* x) {
  for (int i = 0; i < kNumbers<float>; ++i) numbers[i] = x[i];
}

#if defined(__AVX512BF16__)
template <class T>
PERSIMMON_INLINE void loadNumber(const T* const* rows, int64_t column, int64_t left, Pairs* w) {
  if constexpr (std::is_same_v<T, BFloat16>) {
    if (left >= kStreamColumns<InputPair>) {
      PERSIMMON_UNROLL
      for (int v = 0; v < kStreamVectors<InputPair>; v += 2) {
        const int64_t at = column + v * kLanes;
        pairsOf(rows[0] + at, rows[1] + at, w + v);
      }
      return;
    }
  }
  for (int v = 0; v < kStreamVectors<InputPair>; ++v) {
    const int64_t n = left - v * kLanes, at = column + v * kLanes;
    w[v] = n > 0 ? pairsOf(loadUpTo(rows[0] + at, n), loadUpTo(rows[1] + at, n)) : pairsOf(zero(), zero());
  }
}
PERSIMMON_INLINE void packNumbers(InputPair* numbers, const float* x) {
  constexpr int kCount = kNumbers<InputPair>;
  uint16_t rounded[2 * kCount];
  roundRow(rounded, x, 2 * kCount);
  for (int i = 0; i < kCount; ++i) numbers[i] = {{rounded[2 * i + 1]}, {rounded[2 * i]}};
}
#endif

/** So many live inputs of a part: where their weights begin, and their activations [row][number]. */
template <class Number, class T>
struct LiveGroup {
  static constexpr int kInputs = kNumbers<Number> * kPlaces<Number>;
  const T* weights[kInputs];
  const Number* numbers;
};

/** The weights of a group; what is missing counts as input `inputs[0]`, whose activation is then zero. */
template <class Number, class T>
PERSIMMON_INLINE LiveGroup<Number, T> groupOf(const ByInput<T>& problem, const int32_t* inputs, int64_t count,
                                              const Number* numbers) {
  LiveGroup<Number, T> group;
  group.numbers = numbers;
  for (int i = 0; i < group.kInputs; ++i) {
    group.weights[i] = problem.weight + inputs[i < count ? i : 0] * problem.result.outFeatures;
  }
  return group;
}

/** sums[row] += the products of a group for kStreamColumns outputs, whose weights are w; the first group
 * starts them. */
template <class Number, class W>
PERSIMMON_INLINE void addProducts(float* sums, const Number* numbers, int64_t rows, bool isFirst,
                                  const W (&w)[kNumbers<Number>][kStreamVectors<Number>]) {
  constexpr int kCount = kNumbers<Number>, kVectors = kStreamVectors<Number>;
  for (int64_t row = 0; row < rows; ++row, sums += kVectors * kLanes, numbers += kCount) {
    Vec sum[kVectors];
    PERSIMMON_UNROLL
    for (int v = 0; v < kVectors; ++v) sum[v] = isFirst ? zero() : load(sums + v * kLanes);
    PERSIMMON_UNROLL
    for (int i = 0; i < kCount; ++i) {
      const W factor = broadcast(numbers[i]);
      PERSIMMON_UNROLL
      for (int v = 0; v < kVectors; ++v) sum[v] = fma(factor, w[i][v], sum[v]);
    }
    PERSIMMON_UNROLL
    for (int v = 0; v < kVectors; ++v) store(sums + v * kLanes, sum[v]);
  }
}

/** Adds a group to the sums of outputs [column, column + columns), which lie as [kStreamColumns
 * outputs][row][output], and fetches the same of the next group. */
template <class Number, class T>
void addGroup(const ByInput<T>& problem, float* sums, const LiveGroup<Number, T>& group,
              const LiveGroup<Number, T>& next, bool isFirst, int64_t column, int64_t columns) {
  using W = decltype(broadcast(Number{}));
  constexpr int64_t kAhead = kStreamAheadBytes / static_cast<int64_t>(sizeof(T));
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  constexpr int64_t kColumns = kStreamColumns<Number>;
  const int64_t rows = problem.result.rows;
  int64_t c = 0;
  W w[kNumbers<Number>][kStreamVectors<Number>];
  for (; c + kColumns <= columns; c += kColumns, sums += rows * kColumns) {
    const bool same = c + kAhead < columns;
    const T* const* ahead = same ? group.weights : next.weights;
    const int64_t at = column + c + kAhead - (same ? 0 : columns);
    if (kColumns >= kLine || c % kLine == 0) {
      for (int i = 0; i < group.kInputs; ++i) {
        for (int64_t line = 0; line < kColumns; line += kLine) {
          __builtin_prefetch(ahead[i] + at + line, 0, 3);
        }
      }
    }
    for (int i = 0; i < kNumbers<Number>; ++i) {
      loadNumber(group.weights + i * kPlaces<Number>, column + c, kColumns, w[i]);
    }
    addProducts(sums, group.numbers, rows, isFirst, w);
  }
  if (c < columns) {
    for (int i = 0; i < kNumbers<Number>; ++i) {
      loadNumber(group.weights + i * kPlaces<Number>, column + c, columns - c, w[i]);
    }
    addProducts(sums, group.numbers, rows, isFirst, w);
  }
}

/** Numbers of the live inputs of a part, [group][row][number], zeros after the last. */
template <class Number>
void packLive(Number* numbers, const float* x, int64_t rows, int64_t inFeatures, const int32_t* inputs,
              int64_t count) {
  constexpr int kInputs = kNumbers<Number> * kPlaces<Number>;
  float group[kInputs];
  for (int64_t i = 0; i < count; i += kInputs) {
    const int n = static_cast<int>(std::min<int64_t>(kInputs, count - i));
    // As with many rows, which share few zeros.
    const bool isRange = n == kInputs && inputs[i + n - 1] - inputs[i] == n - 1;
    for (int64_t row = 0; row < rows; ++row, numbers += kNumbers<Number>) {
      const float* own = x + row * inFeatures;
      if (isRange) {
        packNumbers(numbers, own + inputs[i]);
        continue;
      }
      for (int j = 0; j < kInputs; ++j) group[j] = j < n ? own[inputs[i + j]] : 0;
      packNumbers(numbers, group);
    }
  }
}

/** Floats of scratch that a thread needs: sums, and numbers of a part. */
template <class Number>
inline int64_t streamScratch(int64_t rows, int64_t inFeatures, int64_t columns) {
  constexpr int64_t kColumns = kStreamColumns<Number>;
  return rows *
         ((columns + kColumns - 1) / kColumns * kColumns + partInputs(inFeatures) + 2 * kNumbers<Number>);
}

/** Sums of a part for outputs [column, column + columns). */
template <class Number, class T>
void streamPart(const ByInput<T>& problem, const LiveInputs& live, float* scratch, const PartialSums& partial,
                int64_t part, int64_t column, int64_t columns) {
  constexpr int kInputs = LiveGroup<Number, T>::kInputs;
  constexpr int64_t kColumns = kStreamColumns<Number>;
  const int64_t rows = problem.result.rows, steps = (columns + kColumns - 1) / kColumns;
  float* sums = scratch;
  auto* numbers = reinterpret_cast<Number*>(scratch + rows * steps * kColumns);
  const int32_t* inputs = live.inputs + live.starts[part];
  const int64_t count = live.starts[part + 1] - live.starts[part];
  packLive(numbers, problem.x, rows, problem.inFeatures, inputs, count);
  if (count == 0) std::memset(sums, 0, static_cast<size_t>(rows * steps * kColumns) * sizeof(float));
  for (int64_t i = 0; i < count; i += kInputs) {
    const auto group =
        groupOf(problem, inputs + i, count - i, numbers + i / kInputs * rows * kNumbers<Number>);
    const int64_t after = i + kInputs < count ? i + kInputs : i;
    const auto next = groupOf(problem, inputs + after, count - after, static_cast<const Number*>(nullptr));
    addGroup(problem, sums, group, next, i == 0, column, columns);
  }
  for (int64_t row = 0; row < rows; ++row) {
    float* out = partial.at(part, row) + column;
    for (int64_t c = 0; c < columns; c += kLanes) {
      const float* sum = sums + (c / kColumns * rows + row) * kColumns + c % kColumns;
      storeUpTo(out + c, load(sum), columns - c);
    }
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
