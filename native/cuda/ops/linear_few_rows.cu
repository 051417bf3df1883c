// linear for up to 8 rows (decoding): products of a matrix and few vectors, bound by reading the weights.
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

struct FewRows : LinearCall {
  template <class Format>
  void plain(const Format& format, int64_t bytes) const {
    launch(queue, plainKernel<Format>, blocksFor(outFeatures, kPlainThreads / kWarp), kPlainThreads,
           {.overlapping = true}, out, x, format, bias, static_cast<int>(rows), inFeatures, outFeatures,
           trafficOf(queue), bytes);
  }

  template <class T>
  void operator()(const PlainRows<T>& format) const {
    if (!isAligned(format.data) || inFeatures * static_cast<int64_t>(sizeof(T)) % 16 != 0)
      return plain(format, inFeatures * outFeatures * static_cast<int64_t>(sizeof(T)));
    const float* aligned = paddedRows(queue, x, rows, inFeatures, inFeatures);
    withRowCount(rows, [&](auto count) {
      constexpr int kRows = decltype(count)::value;
      constexpr int64_t kOutputs = GemvShape<kRows>::kOutputs * (kGemvThreads / kWarp);
      launch(queue, gemvKernel<T, kRows>, blocksFor(outFeatures, kOutputs), kGemvThreads,
             {.overlapping = true}, out, aligned, format.data, bias, static_cast<int>(rows), inFeatures,
             outFeatures, trafficOf(queue));
    });
  }

  template <class Tiles>
  void inTiles(const Tiles& format) const {
    const int64_t tiles = (outFeatures + cpu::kWeightTile - 1) / cpu::kWeightTile;
    if (!isAligned(format.data) || !isAligned(format.scales, 8))
      return plain(format, tiles * format.groups * TileTraits<Tiles>::kGroupBytes);
    const float* padded = paddedRows(queue, x, rows, inFeatures, format.groups * cpu::kGroupInputs);
    withRowCount(rows, [&](auto count) {
      launch(queue, tileGemvKernel<Tiles, decltype(count)::value>, blocksFor(tiles, 1), kTileThreads,
             {.overlapping = true}, out, padded, format, bias, static_cast<int>(rows), outFeatures,
             trafficOf(queue));
    });
  }
  void operator()(const Int8Tiles& format) const { inTiles(format); }
  void operator()(const Int4Tiles& format) const { inTiles(format); }
};

}  // namespace

void linearFewRows(const LinearCall& call) { withRowFormat(call.weight, call.inFeatures, FewRows{call}); }

}  // namespace persimmon::cuda
