// A thread for eight numbers: 8 bytes read and 16 written. Four neighbours write 64 bytes of an output side
// by side, and eight of those fours read 32 bytes of each word of a tile.
#include "cuda/ops/tile_weights.cuh"
#include "cuda/ops/widen_int8.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kNumbers = 8;

__global__ void widenTilesKernel(uint16_t* out, TileByOutput<Int8Tiles> weight, int64_t inFeatures,
                                 int64_t outFeatures) {
  waitForPrevious();
  constexpr int kPieces = cpu::kGroupInputs / kNumbers;  // of an output in a tile
  const int64_t i = indexOfThread(), piece = i % kPieces, rest = i / kPieces;
  const int64_t o = rest % outFeatures, k = rest / outFeatures * cpu::kGroupInputs + piece * kNumbers;
  if (k >= inFeatures) return;
  *reinterpret_cast<uint4*>(out + o * inFeatures + k) = weight.widened8(weight.eight(o, k, inFeatures));
}

__global__ void widenInputsKernel(uint16_t* out, Int8Inputs weight, int64_t count) {
  waitForPrevious();
  const int64_t i = indexOfThread() * kNumbers;
  if (i >= count) return;
  float n[kNumbers];
  weight.widen8(weight.eight(i, 0, true), false, n);
  *reinterpret_cast<uint4*>(out + i) = packed(n);
}

}  // namespace

void widenInt8(Queue& queue, uint16_t* out, const Weight& weight, int64_t inFeatures, int64_t outFeatures,
               bool byInput) {
  const auto* scales = static_cast<const float*>(weight.scales);
  if (byInput) {
    const int64_t count = inFeatures * outFeatures;
    const Int8Inputs numbers = {static_cast<const int8_t*>(weight.data), scales, count};
    launch(queue, widenInputsKernel, blocksFor(count / kNumbers, kThreads), kThreads, {.overlapping = true},
           out, numbers, count);
    return;
  }
  const int64_t groups = ceilingOf(inFeatures, cpu::kGroupInputs);
  const TileByOutput<Int8Tiles> tiles = {{static_cast<const uint8_t*>(weight.data), scales, groups}, true};
  launch(queue, widenTilesKernel, blocksFor(groups * outFeatures * (cpu::kGroupInputs / kNumbers), kThreads),
         kThreads, {.overlapping = true}, out, tiles, inFeatures, outFeatures);
}

}  // namespace persimmon::cuda
