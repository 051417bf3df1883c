// Products of many rows with b[inner, columns] as it is stored: a thread copies a chunk of some columns to a
// panel that stays in cache, and runs it past the rows.
#pragma once

#include "cpu/ops/matmul_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int64_t kPanelColumns = kProductVectors * kLanes;
// Rows that share a panel; with more, blocks of rows go to different threads.
constexpr int64_t kPanelRows = 128;

/** out[rows, columns] = a[rows, inner] . b[inner, columns]; T: float, or BFloat16 for a weight. */
template <class T>
struct Product {
  float* out;
  const float* a;
  const T* b;
  int64_t inner, columns;
};

/** The first n columns of `inner` rows of b in panels of kPanelColumns, zeros after the last column. All
 * panels of a row are copied before the next row, whose segments lie far apart and are fetched meanwhile. */
template <class T>
void packColumns(float* panels, const T* b, int64_t bRow, int64_t inner, int64_t n) {
  constexpr int64_t kRowsAhead = 8, kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t k = 0; k < inner; ++k) {
    for (int64_t i = 0; i < n; i += kLine) __builtin_prefetch(b + (k + kRowsAhead) * bRow + i, 0, 3);
    for (int64_t column = 0; column < n; column += kPanelColumns) {
      float* panel = panels + column * kInnerChunk + k * kPanelColumns;
      for (int v = 0; v < kProductVectors; ++v) {
        const int64_t at = column + v * kLanes, left = n - at;
        store(panel + v * kLanes, left > 0 ? loadUpTo(b + k * bRow + at, left) : zero());
      }
    }
  }
}

/** The columns of `panels` tiles from `column` on, for rows [begin, end); `packed` has room for a chunk of
 * them. */
template <class T>
void productPanels(const Product<T>& problem, float* packed, int64_t begin, int64_t end, int64_t column,
                   int64_t panels) {
  const int64_t most = panels * kPanelColumns, left = problem.columns - column;
  const int64_t columns = left < most ? left : most;
  int64_t k = 0;
  // At least once: a product over nothing is zero.
  do {
    const int64_t rest = problem.inner - k, inner = rest < kInnerChunk ? rest : kInnerChunk;
    packColumns(packed, problem.b + k * problem.columns + column, problem.columns, inner, columns);
    for (int64_t c = 0; c < columns; c += kPanelColumns) {
      const int64_t width = columns - c < kPanelColumns ? columns - c : kPanelColumns;
      const ProductChunk chunk = {problem.out + column + c,
                                  problem.columns,
                                  problem.a + k,
                                  problem.inner,
                                  packed + c * kInnerChunk,
                                  kPanelColumns,
                                  inner,
                                  width,
                                  k == 0};
      productRows<kProductRows, kProductVectors>(chunk, begin, end);
    }
    k += inner;
  } while (k < problem.inner);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
