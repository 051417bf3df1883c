// linear for up to 8 rows (decoding): products of a matrix and few vectors, bound by reading the weights.
#include "cuda/ops/linear_few_rows.cuh"
#include "cuda/ops/linear_gemv.cuh"
#include "cuda/ops/linear_gemv_tiles.cuh"
#include "cuda/ops/linear_plain.cuh"
#include "cuda/ops/pad_rows.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

static_assert(kFewRows == kGemvRows && kFewRows == kPlainRows);

/** f(rows as a constant, 1, 2, 4 or 8). */
template <class F>
void withRowCount(int64_t rows, F&& f) {
  if (rows == 1) return f(std::integral_constant<int, 1>());
  if (rows == 2) return f(std::integral_constant<int, 2>());
  if (rows <= 4) return f(std::integral_constant<int, 4>());
  f(std::integral_constant<int, 8>());
}

struct FewRows {
  Queue& queue;
  float* out;
  const float* x;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;

  template <class Format>
  void plain(const Format& weight, int64_t bytes) const {
    launch(queue, plainKernel<Format>, blocksFor(outFeatures, kPlainThreads / kWarp), kPlainThreads,
           {.overlapping = true}, out, x, weight, bias, static_cast<int>(rows), inFeatures, outFeatures,
           trafficOf(queue), bytes);
  }

  template <class T>
  void operator()(const PlainRows<T>& weight) const {
    if (!isAligned(weight.data) || inFeatures * static_cast<int64_t>(sizeof(T)) % 16 != 0)
      return plain(weight, inFeatures * outFeatures * static_cast<int64_t>(sizeof(T)));
    const float* aligned = paddedRows(queue, x, rows, inFeatures, inFeatures);
    withRowCount(rows, [&](auto count) {
      constexpr int kRows = decltype(count)::value;
      constexpr int64_t kOutputs = GemvShape<kRows>::kOutputs * (kGemvThreads / kWarp);
      launch(queue, gemvKernel<T, kRows>, blocksFor(outFeatures, kOutputs), kGemvThreads,
             {.overlapping = true}, out, aligned, weight.data, bias, static_cast<int>(rows), inFeatures,
             outFeatures, trafficOf(queue));
    });
  }

  template <class Tiles>
  void inTiles(const Tiles& weight) const {
    const int64_t tiles = (outFeatures + cpu::kWeightTile - 1) / cpu::kWeightTile;
    if (!isAligned(weight.data) || !isAligned(weight.scales, 8))
      return plain(weight, tiles * weight.groups * TileTraits<Tiles>::kGroupBytes);
    const float* padded = paddedRows(queue, x, rows, inFeatures, weight.groups * cpu::kGroupInputs);
    withRowCount(rows, [&](auto count) {
      launch(queue, tileGemvKernel<Tiles, decltype(count)::value>, blocksFor(tiles, 1), kTileThreads,
             {.overlapping = true}, out, padded, weight, bias, static_cast<int>(rows), outFeatures,
             trafficOf(queue));
    });
  }
  void operator()(const Int8Tiles& weight) const { inTiles(weight); }
  void operator()(const Int4Tiles& weight) const { inTiles(weight); }
};

}  // namespace

void linearFewRows(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  withRowFormat(weight, inFeatures, FewRows{queue, out, x, bias, rows, inFeatures, outFeatures});
}

}  // namespace persimmon::cuda
