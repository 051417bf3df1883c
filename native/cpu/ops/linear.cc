// Matrix products with weights as they are stored, [outFeatures, inFeatures].
#include "cpu/ops/linear_blocked.h"
#include "cpu/ops/linear_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

// Outputs [begin, end) of M rows, N at a time straight from the stored weights.
template <int M, int N, class T>
void directOutputs(float* out, const float* x, const T* weight, Weight bias, int64_t begin, int64_t end,
                   int64_t inFeatures, int64_t outFeatures) {
  const int64_t vectors = inFeatures / kLanes, whole = vectors * kLanes;
  int64_t o = begin;
  for (; o + N <= end; o += N) {
    Vec sums[M][N];
    zeroSums(sums);
    const T* w = weight + o * inFeatures;
    addProducts(sums, x, inFeatures, kLanes, w, inFeatures, kLanes, vectors);
    if (whole < inFeatures) {
      addLastProducts(sums, x + whole, inFeatures, w + whole, inFeatures,
                      static_cast<int>(inFeatures - whole));
    }
    storeSums(sums, out + o, outFeatures, bias, o, N);
  }
  if constexpr (N > 1) {
    directOutputs<M, 1>(out, x, weight, bias, o, end, inFeatures, outFeatures);
  }
}

// Up to kTileRows rows: the weights stream from memory once and are all that matters.
template <class T>
void linearDirect(ThreadPool& pool, float* out, const float* x, const T* weight, Weight bias, int64_t rows,
                  int64_t inFeatures, int64_t outFeatures) {
  // Pieces of about 256 KiB, or of so little work that waking a thread would not pay.
  const int64_t rowBytes = inFeatures * static_cast<int64_t>(sizeof(T));
  const int64_t grain = (262144 / rowBytes + 8) / 8 * 8;
  parallelChunks(pool, outFeatures, grain, [&](int64_t begin, int64_t end) {
    if (rows == 1) {
      directOutputs<1, 8>(out, x, weight, bias, begin, end, inFeatures, outFeatures);
    } else if (rows == 2) {
      directOutputs<2, 8>(out, x, weight, bias, begin, end, inFeatures, outFeatures);
    } else if (rows == 3) {
      directOutputs<3, 6>(out, x, weight, bias, begin, end, inFeatures, outFeatures);
    } else {
      directOutputs<4, 6>(out, x, weight, bias, begin, end, inFeatures, outFeatures);
    }
  });
}

template <class T>
void linearBlocked(ThreadPool& pool, float* out, const float* x, const T* weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  const int64_t panels = panelsOf(rows), vectors = (inFeatures + kLanes - 1) / kLanes;
  pool.reserveScratch(static_cast<size_t>(panels * vectors * kTileRows * kLanes) * sizeof(float),
                      static_cast<size_t>(blockedScratch(rows)) * sizeof(float));
  auto* packed = static_cast<float*>(pool.sharedScratch());
  parallelChunks(pool, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) packRows(packed, x, panel, rows, inFeatures);
  });
  const BlockedLinear problem = {out, packed, bias, rows, inFeatures, outFeatures};
  const int64_t chunkOutputs = kChunkPanels * kTileOutputs;
  ChunkQueue queue((outFeatures + chunkOutputs - 1) / chunkOutputs, 1);
  pool.parallel([&](int part, int) {
    auto* scratch = static_cast<float*>(pool.threadScratch(part));
    int64_t begin, end;
    while (queue.take(&begin, &end)) runChunk(problem, scratch, weight, begin);
  });
}

}  // namespace

void linear(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
            int64_t inFeatures, int64_t outFeatures) {
  withWeight(weight, [&](auto* w) {
    if (rows <= 4) {
      linearDirect(pool, out, x, w, bias, rows, inFeatures, outFeatures);
      return;
    }
    for (int64_t row = 0; row < rows; row += kBlockRows) {
      const int64_t n = rows - row < kBlockRows ? rows - row : kBlockRows;
      linearBlocked(pool, out + row * outFeatures, x + row * inFeatures, w, bias, n, inFeatures, outFeatures);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
