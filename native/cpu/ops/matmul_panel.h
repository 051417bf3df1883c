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

/** Columns [column, column + n) of `inner` rows of b, side by side; zeros after the last column. */
template <class T>
void packColumns(float* panel, const T* b, int64_t bRow, int64_t inner, int64_t n) {
  for (int64_t k = 0; k < inner; ++k) {
    for (int v = 0; v < kProductVectors; ++v) {
      const int64_t left = n - v * kLanes;
      store(panel + k * kPanelColumns + v * kLanes,
            left > 0 ? loadUpTo(b + k * bRow + v * kLanes, left) : zero());
    }
  }
}

/** The columns of `panels` tiles from `column` on, for rows [begin, end); `packed` has room for a chunk of
 * them. */
template <class T>
void productPanels(const Product<T>& problem, float* packed, int64_t begin, int64_t end, int64_t column,
                   int64_t panels) {
  int64_t k = 0;
  // At least once: a product over nothing is zero.
  do {
    const int64_t rest = problem.inner - k, inner = rest < kInnerChunk ? rest : kInnerChunk;
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t first = column + p * kPanelColumns, left = problem.columns - first;
      if (left <= 0) break;
      const int64_t columns = left < kPanelColumns ? left : kPanelColumns;
      float* panel = packed + p * kInnerChunk * kPanelColumns;
      packColumns(panel, problem.b + k * problem.columns + first, problem.columns, inner, columns);
      const ProductChunk chunk = {problem.out + first, problem.columns, problem.a + k, problem.inner, panel,
                                  kPanelColumns,       inner,           columns,       k == 0};
      productRows<kProductRows, kProductVectors>(chunk, begin, end);
    }
    k += inner;
  } while (k < problem.inner);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
