// Matrix products with weights as they are stored, [outFeatures, inFeatures].
//
// Bytes: the weights once per 128 rows (2 or 4 each); rows and results are small beside them.
// native_bench on 2 threads of a 2-core Zen 5 server (EPYC), bfloat16; pure read 58 to 64 GB/s in the same
// process, and 495 GFLOP/s the peak of its float32 multiply-adds:
//   1 row    4096 x 12288 51 GB/s (83 %), 4096 x 16384 53 (92 %), 16384 x 4096 56 (97 %), 4096 x 32768 53 (83
//            %); float32 4096 x 16384 59
//   rows of 4096 x 16384, 58 to 64 GB/s: 2 take 2.4 ms, 4 2.4, 5 2.6, 8 3.3, 16 6.1, 32 12.0, 64 26
// On another day, when neighbours took less of the cores: 128 rows 40 (434 GFLOP/s), 512 160 (430, 87 %), 512
// rows of 16384 x 4096 413 GFLOP/s, with float32 weights 364. AVX2, 1 thread: 87 GFLOP/s.
// Weights of int8 and int4: integer_tiles.h.
//
// AVX-512-BF16 is used for MatmulPrecision::kMedium only. vdpbf16ps rounds activations to bfloat16 unless
// they are split into three parts (8 + 8 + 8 bits), and it issues no faster than a float32 multiply-add (both
// measured at 7.7 G/s a core). For 32 inputs that is three instructions against two: 1.5 times slower, and
// subnormal numbers would be lost. With rounded activations it is one against two: in the same minutes as
// above 8 rows take 2.6 ms, 16 3.7, 32 7.6, 64 14; 512 rows 106 ms (648 GFLOP/s) where float32 took 201.
#include <algorithm>
#include <type_traits>

#include "cpu/ops/integer_tiles.h"
#include "cpu/ops/linear_blocked.h"
#include "cpu/ops/linear_direct.h"
#include "cpu/ops/linear_stream.h"
#include "cpu/ops/rounded_inputs.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

template <class X, class T>
void linearBlocked(ThreadPool& pool, float* out, const float* x, const T* weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  const int64_t panels = panelsOf(rows), steps = (inFeatures + kStepInputs<X> - 1) / kStepInputs<X>;
  pool.reserveScratch(static_cast<size_t>(panels * steps * kTileRows * kStepBytes),
                      static_cast<size_t>(blockedScratch(rows)));
  auto* packed = static_cast<X*>(pool.sharedScratch());
  parallelChunks(pool, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel) packRows(packed, x, panel, rows, inFeatures);
  });
  const BlockedLinear<X> problem = {out, packed, bias, rows, inFeatures, outFeatures};
  // Four chunks or more for each thread, so that they finish together.
  const int64_t outputPanels = (outFeatures + kTileOutputs - 1) / kTileOutputs;
  const int64_t grain = std::clamp<int64_t>(outputPanels / (4 * pool.size()), 1, kChunkPanels);
  ChunkQueue queue(outputPanels, grain);
  const auto work = [&](int part, int) {
    auto* scratch = static_cast<unsigned char*>(pool.threadScratch(part));
    int64_t begin, end;
    while (queue.take(&begin, &end)) runChunk(problem, scratch, weight, begin, end);
  };
  if (outputPanels <= grain) {
    work(0, 1);
  } else {
    pool.parallel(work);
  }
}

/** Few rows as they are, or rounded in the shared scratch. */
template <class X>
const X* rowsOf(ThreadPool& pool, const float* x, int64_t count) {
  if constexpr (std::is_same_v<X, float>) {
    return x;
  } else {
    pool.reserveScratch(static_cast<size_t>(count) * sizeof(X), 0);
    auto* rounded = static_cast<X*>(pool.sharedScratch());
    roundRow(&rounded->bits, x, count);
    return rounded;
  }
}

/** X: float, or BFloat16 to round the activations. */
template <class X, class T>
void linearAs(ThreadPool& pool, float* out, const float* x, const T* weight, Weight bias, int64_t rows,
              int64_t inFeatures, int64_t outFeatures) {
  const int64_t bytes = inFeatures * outFeatures * static_cast<int64_t>(sizeof(T));
  pool.weightTraffic().read += bytes * ((rows + kBlockRows - 1) / kBlockRows);
  // Of no inputs, too: the others add up blocks of them, and store behind the last.
  if (rows <= kDirectRows || inFeatures == 0) {
    const X* few = rowsOf<X>(pool, x, rows * inFeatures);
    linearDirect(pool, DirectLinear<X>{out, few, bias, inFeatures, outFeatures}, rows, weight);
    return;
  }
  if (rows >= kLeastStreamRows && rows <= kMostStreamRows) {
    linearStream<X>(pool, out, x, weight, bias, rows, inFeatures, outFeatures);
    return;
  }
  for (int64_t row = 0; row < rows; row += kBlockRows) {
    const int64_t n = rows - row < kBlockRows ? rows - row : kBlockRows;
    linearBlocked<X>(pool, out + row * outFeatures, x + row * inFeatures, weight, bias, n, inFeatures,
                     outFeatures);
  }
}

}  // namespace

void linear(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
            int64_t inFeatures, int64_t outFeatures) {
  if (weight.dtype == DType::kInt4) {
    linearInTiles<Int4Tiles>(pool, out, x, weight, bias, rows, inFeatures, outFeatures);
    return;
  }
  if (weight.dtype == DType::kInt8) {
    linearInTiles<Int8Tiles>(pool, out, x, weight, bias, rows, inFeatures, outFeatures);
    return;
  }
  withWeight(weight, [&](auto* w) {
    if constexpr (kHasPairs && std::is_same_v<decltype(w), const BFloat16*>) {
      if (roundsInputs(pool)) {
        linearAs<BFloat16>(pool, out, x, w, bias, rows, inFeatures, outFeatures);
        return;
      }
    }
    linearAs<float>(pool, out, x, w, bias, rows, inFeatures, outFeatures);
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
