// linear for up to 8 rows and float32 or bfloat16 weights whose rows are aligned to 16 bytes. A warp takes a
// few outputs; each lane has eight 16-byte loads on the way.
//
// Bytes: the weights once, 2 or 4 each, which is what limits it. The activations, 4 bytes each, come from the
// first-level cache, where the streamed weights leave them; a warp reads them once for all of its outputs.
// Loads in flight: 16 warps with 4 KiB each are 64 KiB for a multiprocessor, twice what 3 TB/s need at 1 us
// of latency.
#pragma once

#include "cuda/ops/after.cuh"
#include "cuda/ops/norm_before.cuh"
#include "cuda/ops/weights.cuh"

namespace persimmon::cuda {

constexpr int kGemvThreads = 128;
// With a layerNorm before, which each block does for itself: one block fills a multiprocessor, 128 registers
// a thread.
constexpr int kNormedGemvThreads = 512;

/** Outputs of a warp, and 16-byte pieces of each that a lane loads at once: more outputs share the
 * activations, which many rows need, more pieces leave more warps. */
template <int kRows>
struct GemvShape {
  static constexpr int kOutputs = kRows <= 2 ? 2 : 4;
  static constexpr int kPieces = 8 / kOutputs;
};

/**
 * `x` is aligned to 16 bytes, and so is each of its rows. kRows is `rows`, or the next power of two. With
 * kNormed the rows are normalised first; there are no more blocks than run at once then, and a warp goes on
 * to more outputs. Those of a round are dealt out block by block, so that in the last round, too, all
 * multiprocessors have about as many.
 */
template <class T, int kRows, bool kNormed>
__global__ __launch_bounds__(kNormed ? kNormedGemvThreads : kGemvThreads,
                             kNormed      ? 1
                             : kRows <= 4 ? 4
                                          : 3) void gemvKernel(float* out, const float* x, const T* weight,
                                                               cpu::Weight bias, int rows, int64_t inFeatures,
                                                               int64_t outFeatures,
                                                               unsigned long long* traffic, After after,
                                                               NormBefore norm) {
  constexpr int kOutputs = GemvShape<kRows>::kOutputs, kPieces = GemvShape<kRows>::kPieces;
  constexpr int kNumbers = 16 / static_cast<int>(sizeof(T)),
                kWarps = (kNormed ? kNormedGemvThreads : kGemvThreads) / kWarp;
  constexpr int64_t kStep = int64_t{kWarp} * kNumbers;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t warp = threadIdx.x / kWarp, block = blockIdx.x;
  int64_t first = (kNormed ? warp * gridDim.x + block : block * kWarps + warp) * kOutputs;
  const T* from[kOutputs];
  const auto aim = [&] {
    PERSIMMON_UNROLL
    for (int o = 0; o < kOutputs; ++o)  // past the end: the last one again, which is not stored
      from[o] = weight + (first + o < outFeatures ? first + o : outFeatures - 1) * inFeatures;
  };
  uint4 w[kPieces][kOutputs];
  const auto loadPiece = [&](int64_t begin, int p) {
    const int64_t k = begin + p * kStep + lane * kNumbers;
    PERSIMMON_UNROLL
    for (int o = 0; o < kOutputs; ++o) w[p][o] = k < inFeatures ? loadStreamed(from[o] + k) : noWeights();
  };
  const auto loadPieces = [&](int64_t begin) {
    PERSIMMON_UNROLL
    for (int p = 0; p < kPieces; ++p) loadPiece(begin, p);
  };
  // Each piece as soon as it is multiplied, where there are registers for that.
  constexpr bool kReloadsPieces = kRows <= 2;
  aim();
  PERSIMMON_UNROLL
  for (int p = 0; p < kPieces; ++p) {
    const int64_t k = p * kStep + lane * kNumbers;
    PERSIMMON_UNROLL
    for (int o = 0; o < kOutputs; ++o) {
      if (k < inFeatures) askFor(from[o] + k);
    }
  }
  if (lane == 0 && first < outFeatures) askForElement(bias, first);
  if constexpr (kNormed) askForNorm(norm, inFeatures);
  waitForPrevious();
  loadPieces(0);
  if constexpr (kNormed) {
    PERSIMMON_DYNAMIC_SHARED(float, normed);
    normalizeRows<kWarps>(normed, norm, rows, inFeatures);
    x = normed;
  }
  while (true) {
    float sums[kRows][kOutputs] = {};
    for (int64_t begin = 0; begin < inFeatures; begin += kPieces * kStep) {
      PERSIMMON_UNROLL
      for (int p = 0; p < kPieces; ++p) {
        const int64_t k = begin + p * kStep + lane * kNumbers;
        if (k >= inFeatures) continue;
        PERSIMMON_UNROLL
        for (int r = 0; r < kRows; ++r) {
          const float4* at = reinterpret_cast<const float4*>(x + (r < rows ? r : rows - 1) * inFeatures + k);
          PERSIMMON_UNROLL
          for (int part = 0; part < kNumbers / 4; ++part) {
            const float4 a = at[part];
            PERSIMMON_UNROLL
            for (int o = 0; o < kOutputs; ++o) {
              float numbers[kNumbers];
              widen(w[p][o], numbers);
              sums[r][o] = fmaf(a.x, numbers[4 * part], sums[r][o]);
              sums[r][o] = fmaf(a.y, numbers[4 * part + 1], sums[r][o]);
              sums[r][o] = fmaf(a.z, numbers[4 * part + 2], sums[r][o]);
              sums[r][o] = fmaf(a.w, numbers[4 * part + 3], sums[r][o]);
            }
          }
        }
        if constexpr (kReloadsPieces) loadPiece(begin + kPieces * kStep, p);
      }
      if constexpr (!kReloadsPieces) loadPieces(begin + kPieces * kStep);
    }
    const int64_t output = first;
    if constexpr (kNormed) first += int64_t{gridDim.x} * kWarps * kOutputs;
    const bool goesOn = kNormed && first < outFeatures;
    if (goesOn) {
      aim();
      loadPieces(0);
    } else {
      letNextStart();
    }
    PERSIMMON_UNROLL
    for (int r = 0; r < kRows; ++r) {
      PERSIMMON_UNROLL
      for (int o = 0; o < kOutputs; ++o) {
        const float sum = warpSum(sums[r][o]);
        if (lane == r * kOutputs + o && r < rows && output + o < outFeatures)
          after.store(out, r * outFeatures + output + o, sum + biasOf(bias, output + o));
      }
    }
    if (!goesOn) break;
  }
  if (blockIdx.x == 0 && threadIdx.x == 0)
    countTraffic(traffic, inFeatures * outFeatures * static_cast<int64_t>(sizeof(T)), 0);
}

}  // namespace persimmon::cuda
