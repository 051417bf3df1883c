// Products of many rows with b[inner, columns] as it is stored: a thread copies a chunk of some columns to a
// panel that stays in cache, and runs it past the rows.
#pragma once

#include "cpu/ops/matmul_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int64_t kPanelColumns = kProductVectors * kLanes;
// Rows that share a panel; with more, blocks of rows go to different threads.
constexpr int64_t kPanelRows = 128;

/** out[rows, columns] = a[rows, inner] . b[inner, columns], whose rows lie so far apart; T: float, or
 * BFloat16 for a weight. */
template <class T, class Rows>
struct Product {
  float* out;
  int64_t outRow;
  Rows a;
  const T* b;
  int64_t bRow;
  int64_t inner;
  bool goesOn = false;  // over all of the inner axis; else its chunks are added up each by itself
};

/** Calls copy(k, v, column) for vector v of every panel from `column` on, and every `step`th of `inner` rows
 * of b; all panels of a row before the next row, whose segments lie far apart and are fetched meanwhile. */
template <class T, class F>
PERSIMMON_INLINE void eachVector(const T* b, int64_t bRow, int64_t inner, int64_t step, int64_t n,
                                 const F& copy) {
  constexpr int64_t kRowsAhead = 8, kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t k = 0; k < inner; k += step) {
    for (int64_t row = k; row < k + step; ++row) {
      for (int64_t i = 0; i < n; i += kLine) __builtin_prefetch(b + (row + kRowsAhead) * bRow + i, 0, 3);
    }
    for (int64_t column = 0; column < n; column += kPanelColumns) {
      for (int v = 0; v < kProductVectors; ++v) copy(k, v, column);
    }
  }
}

/** The first n columns of `inner` rows of b in panels of kPanelColumns, zeros after the last column. */
template <class T>
PERSIMMON_INLINE void packColumns(float* panels, const T* b, int64_t bRow, int64_t inner, int64_t n) {
  eachVector(b, bRow, inner, 1, n, [=](int64_t k, int v, int64_t column) {
    const int64_t at = column + v * kLanes, left = n - at;
    float* panel = panels + column * kInnerChunk + k * kPanelColumns;
    store(panel + v * kLanes, left > 0 ? loadUpTo(b + k * bRow + at, left) : zero());
  });
}

/** The same with two rows of b in one, and zeros after the last. */
template <class T>
PERSIMMON_INLINE void packColumns(InputPair* panels, const T* b, int64_t bRow, int64_t inner, int64_t n) {
  eachVector(b, bRow, inner, 2, n, [=](int64_t k, int v, int64_t column) {
    const int64_t at = column + v * kLanes, left = n - at;
    const T* first = b + k * bRow + at;
    InputPair* panel = panels + (column * kInnerChunk + k * kPanelColumns) / 2;
    store(panel + v * kLanes, pairsOf(left > 0 ? loadUpTo(first, left) : zero(),
                                      left > 0 && k + 1 < inner ? loadUpTo(first + bRow, left) : zero()));
  });
}

/** The columns of up to `panels` tiles for rows [begin, end); `packed` has room for a chunk of them. Inlined,
 * so that the number of panels is known and every vector of packColumns has an instruction of its own, whose
 * steps the CPU foresees: as a loop 8 rows of 16384 x 4096 in bfloat16 take 13.8 ms, not 8.3.
 */
template <class T, class Rows>
PERSIMMON_INLINE void productPanels(const Product<T, Rows>& problem, void* packed, int64_t begin, int64_t end,
                                    int64_t left, int64_t panels) {
  auto* copies = static_cast<typename Rows::Number*>(packed);
  const int64_t most = panels * kPanelColumns, columns = left < most ? left : most;
  int64_t k = 0;
  // At least once: a product over nothing is zero.
  do {
    const int64_t rest = problem.inner - k, inner = rest < kInnerChunk ? rest : kInnerChunk;
    packColumns(copies, problem.b + k * problem.bRow, problem.bRow, inner, columns);
    for (int64_t c = 0; c < columns; c += kPanelColumns) {
      const int64_t width = columns - c < kPanelColumns ? columns - c : kPanelColumns;
      const ProductChunk<Rows> chunk = {problem.out + c,
                                        problem.outRow,
                                        problem.a.from(k),
                                        copies + c * kInnerChunk / Rows::kPlaces,
                                        kPanelColumns,
                                        (inner + Rows::kPlaces - 1) / Rows::kPlaces,
                                        width,
                                        k == 0,
                                        problem.goesOn};
      productRows<kProductRows, kProductVectors>(chunk, begin, end);
    }
    k += inner;
  } while (k < problem.inner);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
