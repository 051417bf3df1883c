// Products of two activations, a [rows, inner] . b [inner, columns], for each pair of a batch. (linear.cc is
// for weights as they are stored, [outFeatures, inFeatures].)
//
// Many rows: a thread takes a block of rows and the columns of one tile, copies a chunk of those columns to a
// panel that stays in cache, and runs it past the rows. Few rows: b is read once, in order of address, and
// the sums wait in the first-level cache. Both add in the same order.
//
// 1 thread of a Zen 5 server core (EPYC), beside other work; a [rows, 4096] by [4096, 4096], AVX-512 (AVX2):
//   1 row 1.7 ms, 40 GB/s (2.1 ms), 8 rows 4.0 (5.1), 16 rows 6.2 (8.2), 24 rows 8.1 (17);
//   512 x 2048 x 2048: 208 GFLOP/s (107).
#include "cpu/ops/matmul_panel.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

// Columns that few rows take together: their sums fit in the first-level cache beside four rows of b.
constexpr int64_t kStreamColumns = 1024;
constexpr int64_t kFewRows = 16;  // up to here packing, which reads b in short pieces, is slower

/** sums[i] += x[0] * b[0, i] + ... + x[K - 1] * b[K - 1, i], in this order. */
template <int K>
PERSIMMON_INLINE void addRows(float* sums, const float* x, const float* b, int64_t bRow, int64_t columns) {
  Vec factor[K];
  for (int k = 0; k < K; ++k) factor[k] = broadcast(x[k]);
  int64_t i = 0;
  for (; i + kLanes <= columns; i += kLanes) {
    Vec sum = load(sums + i);
    for (int k = 0; k < K; ++k) sum = fma(factor[k], load(b + k * bRow + i), sum);
    store(sums + i, sum);
  }
  if (i < columns) {
    const int n = static_cast<int>(columns - i);
    Vec sum = load(sums + i);
    for (int k = 0; k < K; ++k) sum = fma(factor[k], loadPartial(b + k * bRow + i, n), sum);
    store(sums + i, sum);
  }
}

/** So many columns of few rows; `sums` has room for kStreamColumns of each. */
void productStream(const Product<float, StoredRows>& problem, float* sums, int64_t rows, int64_t columns) {
  int64_t begin = 0;
  do {
    const int64_t end = problem.inner - begin < kInnerChunk ? problem.inner : begin + kInnerChunk;
    for (int64_t i = 0; i < rows * kStreamColumns; i += kLanes) store(sums + i, zero());
    for (int64_t k = begin; k < end;) {
      const int64_t step = end - k < 4 ? 1 : 4;
      const float* b = problem.b + k * problem.bRow;
      for (int64_t row = 0; row < rows; ++row) {
        const float* x = problem.a.begin(row) + k;
        if (step == 4) {
          addRows<4>(sums + row * kStreamColumns, x, b, problem.bRow, columns);
        } else {
          addRows<1>(sums + row * kStreamColumns, x, b, problem.bRow, columns);
        }
      }
      k += step;
    }
    for (int64_t row = 0; row < rows; ++row) {
      float* out = problem.out + row * problem.outRow;
      for (int64_t i = 0; i < columns; i += kLanes) {
        const Vec sum = load(sums + row * kStreamColumns + i);
        storeUpTo(out + i, begin == 0 ? sum : loadUpTo(out + i, columns - i) + sum, columns - i);
      }
    }
    begin = end;
  } while (begin < problem.inner);
}

/** Columns of a piece of work for few rows: enough pieces for all threads, but not so small that reads are
 * short. */
int64_t streamColumns(int64_t columns, int threads) {
  const int64_t share = (columns / (4 * threads) + kLanes - 1) / kLanes * kLanes;
  return share < 4 * kLanes ? 4 * kLanes : share < kStreamColumns ? share : kStreamColumns;
}

}  // namespace

void matmul(ThreadPool& pool, float* out, const float* a, const float* b, int64_t batch, int64_t rows,
            int64_t inner, int64_t columns) {
  const bool isFew = rows <= kFewRows;
  const int64_t blockRows = isFew ? rows : kPanelRows;
  const int64_t blockColumns = isFew ? streamColumns(columns, pool.size()) : kPanelColumns;
  const int64_t blocks = (rows + blockRows - 1) / blockRows;
  const int64_t panels = (columns + blockColumns - 1) / blockColumns;
  const int64_t scratchFloats = isFew ? rows * kStreamColumns : kInnerChunk * kPanelColumns;
  pool.reserveScratch(0, static_cast<size_t>(scratchFloats) * sizeof(float));
  ChunkQueue queue(batch * blocks * panels, 1);
  const auto work = [&](int part, int) {
    auto* scratch = static_cast<float*>(pool.threadScratch(part));
    int64_t index, next;
    while (queue.take(&index, &next)) {
      const int64_t pair = index / (blocks * panels), column = index % panels * blockColumns;
      const StoredRows rowsOfA = {a + pair * rows * inner, inner};
      const Product<float, StoredRows> problem = {out + pair * rows * columns + column, columns, rowsOfA,
                                                  b + pair * inner * columns + column,  columns, inner};
      if (isFew) {
        productStream(problem, scratch, rows,
                      columns - column < blockColumns ? columns - column : blockColumns);
      } else {
        const int64_t begin = index / panels % blocks * blockRows;
        productPanels(problem, scratch, begin, rows - begin < blockRows ? rows : begin + blockRows,
                      columns - column, 1);
      }
    }
  };
  // Below this many multiply-adds (about 15 microseconds) a second thread costs more than it brings.
  if (batch * rows * columns * inner < 131072) {
    work(0, 1);
  } else {
    pool.parallel(work);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
