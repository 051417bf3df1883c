// The register tile of matmul: M rows by V vectors of columns, each a chain of fused multiply-adds along the
// inner axis.
#pragma once

#include "cpu/isa.h"
#include "cpu/simd/pairs.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// What fits in the registers beside a vector of each column and one broadcast number; see linear_tile.h.
#if defined(__AVX512F__)
constexpr int kProductRows = 8;
constexpr int kProductVectors = 3;
#elif defined(__AVX2__)
constexpr int kProductRows = 6;
constexpr int kProductVectors = 1;
#elif defined(__aarch64__)
constexpr int kProductRows = 4;
constexpr int kProductVectors = 1;
#else
constexpr int kProductRows = 2;
constexpr int kProductVectors = 1;
#endif

/** The inner axis is added up in chunks of this length, and the chunks' sums in order: fewer roundings in a
 * long sum, and a chunk of columns stays in cache. */
constexpr int64_t kInnerChunk = 256;

/** Rows of a as they are stored, `rowNumbers` apart, from a place of the inner axis on. */
struct StoredRows {
  using Number = float;
  static constexpr int64_t kPlaces = 1;  // of the inner axis in a number
  const float* numbers;
  int64_t rowNumbers;

  PERSIMMON_INLINE const float* begin(int64_t row) const { return numbers + row * rowNumbers; }
  PERSIMMON_INLINE float at(const float* begin, int64_t m, int64_t k) const {
    return begin[m * rowNumbers + k];
  }
  StoredRows from(int64_t place) const { return {numbers + place, rowNumbers}; }
};

/** Rows of a as pairs, [panel of kPairRows rows][pair][row]. Eight rows that lie a power of two apart would
 * push each other out of the first-level cache (512 rows, 16384 x 4096, in bfloat16, two threads of a Zen 5
 * server: 146 ms as they are stored, 123 so). */
struct PairedRows {
  using Number = InputPair;
  static constexpr int64_t kPlaces = 2;
  static constexpr int64_t kPairRows = 8;
  const InputPair* numbers;
  int64_t panelNumbers;

  PERSIMMON_INLINE const InputPair* begin(int64_t row) const {
    return numbers + row / kPairRows * panelNumbers + row % kPairRows;
  }
  PERSIMMON_INLINE InputPair at(const InputPair* begin, int64_t m, int64_t k) const {
    return begin[k * kPairRows + m];
  }
  PairedRows from(int64_t place) const { return {numbers + place / 2 * kPairRows, panelNumbers}; }
};

/** A chunk of the inner axis: where rows of a, rows of b and rows of the result begin, and how far apart they
 * lie. */
template <class Rows>
struct ProductChunk {
  float* out;
  int64_t outRow;
  Rows a;
  const typename Rows::Number* b;
  int64_t bRow;
  int64_t inner;    // numbers, each kPlaces
  int64_t columns;  // to store; the others of the V vectors are dropped
  bool isFirst;     // the sums start anew instead of adding to `out`
  bool goesOn;      // adding to `out` means going on with its sums, not adding a sum of this chunk alone
};

/** M rows from `row` on, of one panel. All V vectors of b can be read. */
template <int M, int V, class Rows>
PERSIMMON_INLINE void productTile(const ProductChunk<Rows>& chunk, int64_t row) {
  Vec sums[M][V];
  const bool goesOn = chunk.goesOn && !chunk.isFirst;
  PERSIMMON_UNROLL
  for (int m = 0; m < M; ++m) {
    PERSIMMON_UNROLL
    for (int v = 0; v < V; ++v) {
      const float* out = chunk.out + (row + m) * chunk.outRow + v * kLanes;
      sums[m][v] = goesOn && chunk.columns > v * kLanes ? loadUpTo(out, chunk.columns - v * kLanes) : zero();
    }
  }
  const auto* a = chunk.a.begin(row);
  const auto* b = chunk.b;
  for (int64_t k = 0; k < chunk.inner; ++k, b += chunk.bRow) {
    decltype(load(b)) y[V];
    PERSIMMON_UNROLL
    for (int v = 0; v < V; ++v) y[v] = load(b + v * kLanes);
    PERSIMMON_UNROLL
    for (int m = 0; m < M; ++m) {
      const auto x = broadcast(chunk.a.at(a, m, k));
      PERSIMMON_UNROLL
      for (int v = 0; v < V; ++v) sums[m][v] = fma(x, y[v], sums[m][v]);
    }
  }
  PERSIMMON_UNROLL
  for (int m = 0; m < M; ++m) {
    PERSIMMON_UNROLL
    for (int v = 0; v < V; ++v) {
      const int64_t n = chunk.columns - v * kLanes;
      if (n <= 0) break;
      float* out = chunk.out + (row + m) * chunk.outRow + v * kLanes;
      const bool adds = !chunk.isFirst && !chunk.goesOn;
      storeUpTo(out, adds ? loadUpTo(out, n) + sums[m][v] : sums[m][v], n);
    }
  }
}

/** Rows [row, rows) in groups of M, and what is left in smaller ones. */
template <int M, int V, class Rows>
void productRows(const ProductChunk<Rows>& chunk, int64_t row, int64_t rows) {
  for (; row + M <= rows; row += M) productTile<M, V>(chunk, row);
  if constexpr (M > 1) {
    if (row < rows) productRows<M / 2, V>(chunk, row, rows);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
