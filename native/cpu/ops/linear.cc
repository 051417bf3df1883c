// Matrix products with weights as they are stored, [outFeatures, inFeatures].
#include "cpu/ops/linear_blocked.h"
#include "cpu/ops/linear_direct.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

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
  const int64_t chunks = (outFeatures + chunkOutputs - 1) / chunkOutputs;
  ChunkQueue queue(chunks, 1);
  const auto work = [&](int part, int) {
    auto* scratch = static_cast<float*>(pool.threadScratch(part));
    int64_t begin, end;
    while (queue.take(&begin, &end)) runChunk(problem, scratch, weight, begin);
  };
  if (chunks == 1) {
    work(0, 1);
  } else {
    pool.parallel(work);
  }
}

}  // namespace

void linear(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
            int64_t inFeatures, int64_t outFeatures) {
  withWeight(weight, [&](auto* w) {
    if (rows <= kDirectRows) {
      linearDirect(pool, {out, x, bias, inFeatures, outFeatures}, rows, w);
      return;
    }
    for (int64_t row = 0; row < rows; row += kBlockRows) {
      const int64_t n = rows - row < kBlockRows ? rows - row : kBlockRows;
      linearBlocked(pool, out + row * outFeatures, x + row * inFeatures, w, bias, n, inFeatures, outFeatures);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
