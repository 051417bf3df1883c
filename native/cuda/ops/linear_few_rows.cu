// linear for up to 8 rows (decoding): products of a matrix and few vectors, bound by reading the weights.
#include <algorithm>

#include "cuda/ops/linear_call.cuh"
#include "cuda/ops/linear_gemv.cuh"
#include "cuda/ops/linear_gemv_tiles.cuh"
#include "cuda/ops/linear_plain.cuh"
#include "cuda/ops/pad_rows.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

/** f(rows as a constant, 1, 2, 4 or 8). */
template <class F>
void withRowCount(int64_t rows, F&& f) {
  if (rows == 1) return f(std::integral_constant<int, 1>());
  if (rows == 2) return f(std::integral_constant<int, 2>());
  if (rows <= 4) return f(std::integral_constant<int, 4>());
  f(std::integral_constant<int, 8>());
}

/** The same with as few rows as a layerNorm before allows. */
template <class F>
void withNormedRowCount(int64_t rows, F&& f) {
  static_assert(kMostNormalizedRows == 2);
  if (rows == 1) return f(std::integral_constant<int, 1>());
  f(std::integral_constant<int, 2>());
}

struct FewRows : LinearCall, Neighbours {
  template <class Format>
  void plain(const Format& format, int64_t bytes) const {
    launch(queue, plainKernel<Format>, blocksFor(outFeatures, kPlainThreads / kWarp), kPlainThreads,
           {.overlapping = true}, out, x, format, bias, static_cast<int>(rows), inFeatures, outFeatures,
           trafficOf(queue), bytes, after);
  }

  /** Blocks of which so many run on a multiprocessor at once, for `pieces` of the outputs. No sum depends on
   * their number. */
  unsigned normedBlocks(int64_t pieces, int64_t resident) const {
    return blocksFor(std::min(pieces, resident * queue.info().multiprocessors), 1);
  }
  size_t normedBytes() const { return static_cast<size_t>(rows * inFeatures) * sizeof(float); }

  template <class T>
  void operator()(const PlainRows<T>& format) const {
    if (!isAligned(format.data) || inFeatures * static_cast<int64_t>(sizeof(T)) % 16 != 0)
      return plain(format, inFeatures * outFeatures * static_cast<int64_t>(sizeof(T)));
    const auto start = [&](auto kernel, unsigned blocks, int threads, size_t sharedBytes, const float* from) {
      launch(queue, kernel, blocks, threads, {.sharedBytes = sharedBytes, .overlapping = true}, out, from,
             format.data, bias, static_cast<int>(rows), inFeatures, outFeatures, trafficOf(queue), after,
             norm);
    };
    if constexpr (std::is_same_v<T, uint16_t>) {
      if (norm.x != nullptr)
        return withNormedRowCount(rows, [&](auto count) {
          constexpr int kRows = decltype(count)::value;
          const unsigned blocks = normedBlocks(ceilingOf(outFeatures, GemvShape<kRows>::kOutputs), 1);
          start(gemvKernel<T, kRows, true>, blocks, kNormedGemvThreads, normedBytes(), nullptr);
        });
    }
    const float* aligned = paddedRows(queue, x, rows, inFeatures, inFeatures);
    withRowCount(rows, [&](auto count) {
      constexpr int kRows = decltype(count)::value;
      const int64_t outputs = GemvShape<kRows>::kOutputs * (kGemvThreads / kWarp);
      start(gemvKernel<T, kRows, false>, blocksFor(outFeatures, outputs), kGemvThreads, 0, aligned);
    });
  }

  template <class Tiles>
  void inTiles(const Tiles& format) const {
    const int64_t tiles = ceilingOf(outFeatures, cpu::kWeightTile);
    if (!isAligned(format.data) || !isAligned(format.scales, 8))
      return plain(format, tiles * format.groups * TileTraits<Tiles>::kGroupBytes);
    const auto start = [&](auto kernel, unsigned blocks, size_t sharedBytes, const float* from) {
      launch(queue, kernel, blocks, kTileThreads, {.sharedBytes = sharedBytes, .overlapping = true}, out,
             from, format, bias, static_cast<int>(rows), outFeatures, tiles, trafficOf(queue), after, norm);
    };
    if (norm.x != nullptr)
      return withNormedRowCount(rows, [&](auto count) {
        start(tileGemvKernel<Tiles, decltype(count)::value, true>, normedBlocks(tiles, 2), normedBytes(),
              nullptr);
      });
    const float* padded = paddedRows(queue, x, rows, inFeatures, format.groups * cpu::kGroupInputs);
    withRowCount(rows, [&](auto count) {
      start(tileGemvKernel<Tiles, decltype(count)::value, false>, blocksFor(tiles, 1), 0, padded);
    });
  }
  void operator()(const Int8Tiles& format) const { inTiles(format); }
  void operator()(const Int4Tiles& format) const { inTiles(format); }
};

}  // namespace

void linearFewRows(const LinearCall& call, const Neighbours& with) {
  withRowFormat(call.weight, call.inFeatures, FewRows{call, with});
}

}  // namespace persimmon::cuda
