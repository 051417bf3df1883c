// The register tile of matmul: M rows by V vectors of columns, each a chain of fused multiply-adds along the
// inner axis.
#pragma once

#include "cpu/isa.h"
#include "cpu/simd/vec.h"

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

/** A chunk of the inner axis: where rows of a, rows of b and rows of the result begin, and how far apart they
 * lie. */
struct ProductChunk {
  float* out;
  int64_t outRow;
  const float* a;
  int64_t aRow;
  const float* b;
  int64_t bRow;
  int64_t inner;
  int64_t columns;  // to store; the others of the V vectors are dropped
  bool isFirst;     // the sums start anew instead of adding to `out`
};

/** M rows from `row` on. All V vectors of b can be read. */
template <int M, int V>
PERSIMMON_INLINE void productTile(const ProductChunk& chunk, int64_t row) {
  Vec sums[M][V];
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < V; ++v) sums[m][v] = zero();
  }
  const float* a = chunk.a + row * chunk.aRow;
  const float* b = chunk.b;
  for (int64_t k = 0; k < chunk.inner; ++k, b += chunk.bRow) {
    Vec y[V];
    for (int v = 0; v < V; ++v) y[v] = load(b + v * kLanes);
    for (int m = 0; m < M; ++m) {
      const Vec x = broadcast(a[m * chunk.aRow + k]);
      for (int v = 0; v < V; ++v) sums[m][v] = fma(x, y[v], sums[m][v]);
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int v = 0; v < V; ++v) {
      const int64_t n = chunk.columns - v * kLanes;
      if (n <= 0) break;
      float* out = chunk.out + (row + m) * chunk.outRow + v * kLanes;
      storeUpTo(out, chunk.isFirst ? sums[m][v] : loadUpTo(out, n) + sums[m][v], n);
    }
  }
}

/** Rows [row, rows) in groups of M, and what is left in smaller ones. */
template <int M, int V>
void productRows(const ProductChunk& chunk, int64_t row, int64_t rows) {
  for (; row + M <= rows; row += M) productTile<M, V>(chunk, row);
  if constexpr (M > 1) {
    if (row < rows) productRows<M / 2, V>(chunk, row, rows);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
