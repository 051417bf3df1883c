// Products of two activations, a [rows, inner] . b [inner, columns], for each pair of a batch. (linear.cc is
// for weights as they are stored, [outFeatures, inFeatures].)
//
// A thread takes a block of rows and the columns of one tile, copies a chunk of those columns to a panel that
// stays in cache, and runs it past the rows. Few rows read b where it lies. Both take the same sums.
#include "cpu/ops/matmul_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

constexpr int64_t kPanelColumns = kProductVectors * kLanes;
// Rows that share a panel; with more, blocks of rows go to different threads.
constexpr int64_t kPanelRows = 128;

struct Product {
  float* out;
  const float* a;
  const float* b;
  int64_t inner, columns;
};

/** Columns [column, column + n) of `inner` rows of b, side by side; zeros after the last column. */
void packColumns(float* panel, const float* b, int64_t bRow, int64_t inner, int64_t n) {
  for (int64_t k = 0; k < inner; ++k) {
    for (int v = 0; v < kProductVectors; ++v) {
      const int64_t left = n - v * kLanes;
      store(panel + k * kPanelColumns + v * kLanes,
            left > 0 ? loadUpTo(b + k * bRow + v * kLanes, left) : zero());
    }
  }
}

/** The columns of one tile for rows [begin, end). */
void productPanel(const Product& problem, float* panel, int64_t begin, int64_t end, int64_t column) {
  const int64_t left = problem.columns - column, columns = left < kPanelColumns ? left : kPanelColumns;
  const bool packs = end - begin > kProductRows;
  int64_t k = 0;
  // At least once: a product over nothing is zero.
  do {
    const int64_t rest = problem.inner - k, inner = rest < kInnerChunk ? rest : kInnerChunk;
    const float* b = problem.b + k * problem.columns + column;
    ProductChunk chunk = {problem.out + column, problem.columns, problem.a + k, problem.inner, b,
                          problem.columns,      inner,           columns,       k == 0};
    if (packs) {
      packColumns(panel, b, problem.columns, inner, columns);
      chunk.b = panel;
      chunk.bRow = kPanelColumns;
      productRows<kProductRows, kProductVectors, true>(chunk, begin, end);
    } else if (columns == kPanelColumns) {
      productRows<kProductRows, kProductVectors, true>(chunk, begin, end);
    } else {
      for (int64_t i = 0; i < columns; i += kLanes) {
        ProductChunk part = chunk;
        part.out += i;
        part.b += i;
        part.columns = columns - i;
        if (part.columns >= kLanes) {
          part.columns = kLanes;
          productRows<kProductRows, 1, true>(part, begin, end);
        } else {
          productRows<kProductRows, 1, false>(part, begin, end);
        }
      }
    }
    k += inner;
  } while (k < problem.inner);
}

}  // namespace

void matmul(ThreadPool& pool, float* out, const float* a, const float* b, int64_t batch, int64_t rows,
            int64_t inner, int64_t columns) {
  const int64_t panels = (columns + kPanelColumns - 1) / kPanelColumns;
  const int64_t blocks = (rows + kPanelRows - 1) / kPanelRows;
  pool.reserveScratch(0, static_cast<size_t>(kInnerChunk * kPanelColumns) * sizeof(float));
  ChunkQueue queue(batch * blocks * panels, 1);
  const auto work = [&](int part, int) {
    auto* panel = static_cast<float*>(pool.threadScratch(part));
    int64_t index, end;
    while (queue.take(&index, &end)) {
      const int64_t pair = index / (blocks * panels), begin = index / panels % blocks * kPanelRows;
      const Product problem = {out + pair * rows * columns, a + pair * rows * inner,
                               b + pair * inner * columns, inner, columns};
      productPanel(problem, panel, begin, rows - begin < kPanelRows ? rows : begin + kPanelRows,
                   index % panels * kPanelColumns);
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
