// A thread for eight numbers: 8 bytes read and 16 written. Four neighbours write 64 bytes of an output side
// by side, and eight of those fours read 32 bytes of each word of a tile.
#include "cuda/ops/tile_weights.cuh"
#include "cuda/ops/widen_int8.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kNumbers = 8;

// Numbers of threads fit 32 bits, and a division of those is a tenth of the kernel; one of 64 was half of it.
__global__ void widenTilesKernel(uint4* out, Int8Tiles weight, int64_t inFeatures, uint32_t outFeatures) {
  waitForPrevious();
  constexpr uint32_t kPieces = cpu::kGroupInputs / kNumbers;  // of an output in a tile
  const uint32_t i = blockIdx.x * kThreads + threadIdx.x, rest = i / kPieces;
  const int64_t o = rest % outFeatures, piece = int64_t{rest / outFeatures} * kPieces + i % kPieces;
  const int64_t k = piece * kNumbers;
  if (k >= inFeatures) return;
  const TileByOutput<Int8Tiles> tile = {weight, true};
  out[o * (inFeatures / kNumbers) + piece] = tile.widened8(tile.eight(o, k, inFeatures));
}

__global__ void widenInputsKernel(uint4* out, Int8Inputs weight, int64_t count) {
  waitForPrevious();
  const int64_t i = indexOfThread() * kNumbers;
  if (i >= count) return;
  float n[kNumbers];
  weight.widen8(weight.eight(i, 0, true), false, n);
  out[indexOfThread()] = packed(n);
}

}  // namespace

void widenInt8(Queue& queue, uint16_t* out, const Weight& weight, int64_t inFeatures, int64_t outFeatures,
               bool byInput) {
  const auto* scales = static_cast<const float*>(weight.scales);
  auto* eights = reinterpret_cast<uint4*>(out);
  if (byInput) {
    const int64_t count = inFeatures * outFeatures;
    const Int8Inputs numbers = {static_cast<const int8_t*>(weight.data), scales, count};
    launch(queue, widenInputsKernel, blocksFor(count / kNumbers, kThreads), kThreads, {.overlapping = true},
           eights, numbers, count);
    return;
  }
  const int64_t groups = ceilingOf(inFeatures, cpu::kGroupInputs);
  const Int8Tiles tiles = {static_cast<const uint8_t*>(weight.data), scales, groups};
  launch(queue, widenTilesKernel, blocksFor(groups * outFeatures * (cpu::kGroupInputs / kNumbers), kThreads),
         kThreads, {.overlapping = true}, eights, tiles, inFeatures, static_cast<uint32_t>(outFeatures));
}

}  // namespace persimmon::cuda
