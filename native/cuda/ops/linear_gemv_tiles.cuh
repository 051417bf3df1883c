// linear for up to 8 rows and int8 or int4 weights in tiles of 16 outputs. A block takes a tile, its warps
// every eighth pair of groups of 32 inputs. A lane takes four outputs of eight inputs: 32 bytes of int8, 16
// of int4 and 8 of scales.
//
// The activations are float32 and stay so (the CPU rounds them to eight bits): the weights are widened to
// float32, which costs nothing where memory is what limits.
//
// Bytes: the weights once, 1 or 9 / 16 each. At 3 TB/s int4 needs about 75 % of what an H100 can issue: four
// instructions a weight for one row, one more for each other row, so that from 3 rows on it is bound by them.
#pragma once

#include "cuda/ops/after.cuh"
#include "cuda/ops/norm_before.cuh"
#include "cuda/ops/weights.cuh"

namespace persimmon::cuda {

constexpr int kTileWarps = 8;
constexpr int kTileThreads = kTileWarps * kWarp;

/** Four outputs of eight inputs: asked for early, loaded, and as numbers. */
template <class Format>
struct TilePiece;

template <>
struct TilePiece<Int8Tiles> {
  uint4 even, odd;  // of each output a word: inputs 0, 2, 4, 6 and 1, 3, 5, 7

  static __device__ __forceinline__ const uint8_t* place(const Int8Tiles& format, int64_t tile, int64_t g,
                                                         int word, int quad) {
    return format.group(tile, g) + word * 128 + quad * 16;
  }
  static __device__ __forceinline__ void ask(const Int8Tiles& format, int64_t tile, int64_t g, int word,
                                             int quad) {
    askFor(place(format, tile, g, word, quad));
    askFor(place(format, tile, g, word, quad) + 64);
  }
  __device__ __forceinline__ void load(const Int8Tiles& format, int64_t tile, int64_t g, int word, int quad) {
    const uint8_t* at = place(format, tile, g, word, quad);
    even = loadStreamed(at);
    odd = loadStreamed(at + 64);
  }
  __device__ __forceinline__ void numbers(int output, float (&n)[8]) const {
    const uint32_t first = (&even.x)[output], second = (&odd.x)[output];
    PERSIMMON_UNROLL
    for (int i = 0; i < 4; ++i) {
      n[2 * i] = byteNumber(first, i, cpu::kInt8Zero);
      n[2 * i + 1] = byteNumber(second, i, cpu::kInt8Zero);
    }
  }
  __device__ __forceinline__ float scale(int) const { return 1.0f; }
};

template <>
struct TilePiece<Int4Tiles> {
  uint4 words;
  uint2 scales;

  static __device__ __forceinline__ const uint8_t* place(const Int4Tiles& format, int64_t tile, int64_t g,
                                                         int word, int quad) {
    return format.group(tile, g) + word * 64 + quad * 16;
  }
  static __device__ __forceinline__ void ask(const Int4Tiles& format, int64_t tile, int64_t g, int word,
                                             int quad) {
    askFor(place(format, tile, g, word, quad));
    if (word == 0) askFor(scalesOf(format, tile, g, quad));
  }
  static __device__ __forceinline__ const uint16_t* scalesOf(const Int4Tiles& format, int64_t tile, int64_t g,
                                                             int quad) {
    return format.scales + (tile * format.groups + g) * cpu::kWeightTile + 4 * quad;
  }
  __device__ __forceinline__ void load(const Int4Tiles& format, int64_t tile, int64_t g, int word, int quad) {
    words = loadStreamed(place(format, tile, g, word, quad));
    scales = __ldcg(reinterpret_cast<const uint2*>(scalesOf(format, tile, g, quad)));
  }
  __device__ __forceinline__ void numbers(int output, float (&n)[8]) const {
    widenWord((&words.x)[output], n);
  }
  __device__ __forceinline__ float scale(int output) const {
    const uint32_t pair = output < 2 ? scales.x : scales.y;
    return output % 2 ? highBFloat16(pair) : lowBFloat16(pair);
  }
};

template <class Format>
struct TileTraits;
template <>
struct TileTraits<Int8Tiles> {
  static constexpr bool kScaledByGroup = false;
  static constexpr int64_t kGroupBytes = 512;
};
template <>
struct TileTraits<Int4Tiles> {
  static constexpr bool kScaledByGroup = true;
  static constexpr int64_t kGroupBytes = 256 + 32;
};

/**
 * `x` has rows of `groups` * 32 floats, the last filled up with zeros, and is aligned to 16 bytes. kRows is
 * `rows`, or the next power of two. With kNormed as gemvKernel: a block goes on to other tiles.
 */
template <class Format, int kRows, bool kNormed>
__global__ __launch_bounds__(kTileThreads, kRows <= 4 ? 2 : 1) void tileGemvKernel(
    float* out, const float* x, Format weight, cpu::Weight bias, int rows, int64_t outFeatures, int64_t tiles,
    unsigned long long* traffic, After after, NormBefore norm) {
  using Traits = TileTraits<Format>;
  constexpr int kPieces = kRows <= 2                              ? 4
                          : kRows <= 4 || !Traits::kScaledByGroup ? 2
                                                                  : 1;  // for registers, too
  constexpr int kSpan = kRows <= 2 ? 8 : 4;                             // inputs at a time
  __shared__ float partial[kTileWarps][kRows][cpu::kWeightTile];
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int half = lane / 16, word = lane / 4 % 4, quad = lane % 4;
  const int64_t width = weight.groups * cpu::kGroupInputs;
  int64_t tile = blockIdx.x;
  TilePiece<Format> pieces[kPieces];
  const auto groupOf = [&](int64_t begin, int p) { return begin + 2 * (p * kTileWarps + warp) + half; };
  const auto loadPieces = [&](int64_t begin) {
    PERSIMMON_UNROLL
    for (int p = 0; p < kPieces; ++p) {
      const int64_t g = groupOf(begin, p);
      if (g < weight.groups) pieces[p].load(weight, tile, g, word, quad);
    }
  };
  PERSIMMON_UNROLL
  for (int p = 0; p < kPieces; ++p) {
    const int64_t g = groupOf(0, p);
    if (g < weight.groups) TilePiece<Format>::ask(weight, tile, g, word, quad);
  }
  if (threadIdx.x == 0) askForElement(bias, tile * cpu::kWeightTile);
  if constexpr (!Traits::kScaledByGroup) {
    if (threadIdx.x == 0) askFor(weight.scales + tile * cpu::kWeightTile);
  }
  if constexpr (kNormed) askForNorm(norm, width);
  waitForPrevious();
  loadPieces(0);
  if constexpr (kNormed) {
    PERSIMMON_DYNAMIC_SHARED(float, normed);
    normalizeRows<kTileWarps>(normed, norm, rows, width);
    x = normed;
  }
  while (true) {
    float sums[kRows][4] = {};
    for (int64_t begin = 0; begin < weight.groups; begin += 2 * kTileWarps * kPieces) {
      PERSIMMON_UNROLL
      for (int p = 0; p < kPieces; ++p) {
        const int64_t g = groupOf(begin, p);
        if (g >= weight.groups) continue;
        PERSIMMON_UNROLL
        for (int part = 0; part < 8; part += kSpan) {
          float a[kRows][kSpan];
          PERSIMMON_UNROLL
          for (int r = 0; r < kRows; ++r) {
            const float* from =
                x + (r < rows ? r : rows - 1) * width + g * cpu::kGroupInputs + word * 8 + part;
            PERSIMMON_UNROLL
            for (int i = 0; i < kSpan; i += 4) {
              const float4 four = *reinterpret_cast<const float4*>(from + i);
              a[r][i] = four.x, a[r][i + 1] = four.y, a[r][i + 2] = four.z, a[r][i + 3] = four.w;
            }
          }
          PERSIMMON_UNROLL
          for (int o = 0; o < 4; ++o) {
            float n[8];
            pieces[p].numbers(o, n);
            PERSIMMON_UNROLL
            for (int r = 0; r < kRows; ++r) {
              float sum = Traits::kScaledByGroup ? 0.0f : sums[r][o];
              PERSIMMON_UNROLL
              for (int i = 0; i < kSpan; ++i) sum = fmaf(a[r][i], n[part + i], sum);
              sums[r][o] = Traits::kScaledByGroup ? fmaf(pieces[p].scale(o), sum, sums[r][o]) : sum;
            }
          }
        }
        // At once, so that a piece is on its way while the others are multiplied.
        const int64_t next = groupOf(begin + 2 * kTileWarps * kPieces, p);
        if (next < weight.groups) pieces[p].load(weight, tile, next, word, quad);
      }
    }
    const int64_t firstOutput = tile * cpu::kWeightTile;
    if constexpr (kNormed) tile += gridDim.x;
    const bool goesOn = kNormed && tile < tiles;
    if (goesOn) {
      loadPieces(0);
    } else {
      letNextStart();
    }
    PERSIMMON_UNROLL
    for (int r = 0; r < kRows; ++r) {
      PERSIMMON_UNROLL
      for (int o = 0; o < 4; ++o) {
        float sum = sums[r][o];
        for (int lanes = 4; lanes < kWarp; lanes *= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
        if (lane < 4) partial[warp][r][lane * 4 + o] = sum;
      }
    }
    __syncthreads();
    const int r = static_cast<int>(threadIdx.x) / cpu::kWeightTile;
    const int64_t o = firstOutput + threadIdx.x % cpu::kWeightTile;
    if (r < rows && o < outFeatures) {
      float sum = 0.0f;
      for (int part = 0; part < kTileWarps; ++part) sum += partial[part][r][o % cpu::kWeightTile];
      if (!Traits::kScaledByGroup) sum *= weight.scale(o, 0);
      after.store(out, r * outFeatures + o, sum + biasOf(bias, o));
    }
    if (!goesOn) break;
    __syncthreads();
  }
  if (blockIdx.x == 0 && threadIdx.x == 0)
    countTraffic(traffic, tiles * weight.groups * Traits::kGroupBytes, 0);
}

}  // namespace persimmon::cuda
