// linear for int4 weights in tiles of 16 outputs: one lane for each output.
//
// Activations are rounded to whole numbers from -127 to 127 with a scale for each group of 32, as in
// llama.cpp's Q8_0, so that a group takes eight instructions of VNNI. In float32 a weight would take five
// times as many, and two cores could not read as fast as memory gives. The error, at most 1/254 of the
// largest of 32 activations, is small beside that of the weights (bench/quantization.mjs).
#pragma once

#include "cpu/isa.h"
#include "cpu/ops/linear_pieces.h"
#include "cpu/simd/int8_dot.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// Rows that use a tile of weights while it is in registers: eight of 32 hold the weights of a group.
#if defined(__AVX512F__)
constexpr int kInt4Rows = 8;
#else
constexpr int kInt4Rows = 1;
#endif

constexpr int64_t kInt4GroupBytes = kInt4Tile * kInt4Group / 2;

/** A group of activations. The sum of products with numbers that are stored plus 8 starts at `shift`. */
struct Int4Activations {
  int8_t words[kInt4Words][2][4];  // of each word of weights: its inputs 0, 2, 4, 6 and then 1, 3, 5, 7
  int32_t shift;
  float scale;
};

struct Int4Linear {
  float* out;
  const uint8_t* weight;
  const uint16_t* scales;
  Weight bias;
  const Int4Activations* x;  // [rows][groups]
  int64_t rows, groups, outFeatures;
};

/** A group with a number that is not finite makes every result NaN. */
PERSIMMON_INLINE void roundActivations(Int4Activations* out, const float* x) {
  const Vec a = load(x), b = load(x + kLanes);
  const float nothing = reduceAdd(a * zero() + b * zero());
  const Vec magnitude = max(max(a, zero() - a), max(b, zero() - b));
  const float largest = reduceMax(magnitude);
  // Below this the scale would be subnormal, and the quotients could overflow.
  const bool usable = nothing == 0.0f && largest > 1e-35f;
  const float inverse = usable ? 127.0f / largest : 0.0f;
  // Adding 1.5 * 2^23 leaves the number, rounded to the nearest and even, in the lowest bits.
  constexpr float kRounding = 12582912.0f;
  constexpr int32_t kRoundingBits = 0x4B400000;
  float shifted[kInt4Group];
  const auto rounded = [&](Vec v) {
    return fma(usable ? v : zero(), broadcast(inverse), broadcast(kRounding));
  };
  store(shifted, rounded(a));
  store(shifted + kLanes, rounded(b));
  int32_t sum = 0;
  for (int i = 0; i < kInt4Group; ++i) {
    int32_t bits;
    __builtin_memcpy(&bits, shifted + i, sizeof bits);
    const int32_t number = bits - kRoundingBits;
    out->words[i / 8][i % 2][i % 8 / 2] = static_cast<int8_t>(number);
    sum += number;
  }
  out->shift = -kInt4Zero * sum;
  out->scale = nothing == 0.0f ? (usable ? largest / 127.0f : 0.0f) : nothing;
}

/** One tile of outputs for M rows. */
template <int M>
PERSIMMON_INLINE void int4Tile(const Int4Linear& problem, int64_t tile, int64_t row) {
  const uint8_t* w = problem.weight + tile * problem.groups * kInt4GroupBytes;
  const auto* scales = reinterpret_cast<const BFloat16*>(problem.scales) + tile * problem.groups * kInt4Tile;
  const Int4Activations* x = problem.x + row * problem.groups;
  Vec sums[M];
  for (int m = 0; m < M; ++m) sums[m] = zero();
  for (int64_t g = 0; g < problem.groups; ++g) {
    // Nothing but memory limits a single row: eight groups ahead is 2 KB.
    if constexpr (M == 1) {
      for (int64_t line = 0; line < kInt4GroupBytes; line += 64) {
        __builtin_prefetch(w + (g + 8) * kInt4GroupBytes + line, 0, 3);
      }
    }
    Bytes low[kInt4Words], high[kInt4Words];
    for (int k = 0; k < kInt4Words; ++k) loadHalves(w + g * kInt4GroupBytes + 64 * k, &low[k], &high[k]);
    const Vec scale = load(scales + g * kInt4Tile);
    for (int m = 0; m < M; ++m) {
      const Int4Activations& group = x[m * problem.groups + g];
      Integers dots = broadcastInteger(group.shift);
      for (int k = 0; k < kInt4Words; ++k) {
        dots = addDots(dots, low[k], broadcastWord(group.words[k][0]));
        dots = addDots(dots, high[k], broadcastWord(group.words[k][1]));
      }
      sums[m] = fma(toFloats(dots), scale * broadcast(group.scale), sums[m]);
    }
  }
  const int64_t first = tile * kInt4Tile, left = problem.outFeatures - first;
  for (int m = 0; m < M; ++m) {
    if (problem.bias.data != nullptr) sums[m] = sums[m] + loadWeight(problem.bias, first, left);
    storeUpTo(problem.out + (row + m) * problem.outFeatures + first, sums[m], left);
  }
}

inline void int4Tiles(const Int4Linear& problem, int64_t begin, int64_t end) {
  for (int64_t tile = begin; tile < end; ++tile) {
    int64_t row = 0;
    for (; row + kInt4Rows <= problem.rows; row += kInt4Rows) int4Tile<kInt4Rows>(problem, tile, row);
    for (; row < problem.rows; ++row) int4Tile<1>(problem, tile, row);
  }
}

inline void linearInt4(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                       int64_t inFeatures, int64_t outFeatures) {
  const int64_t groups = inFeatures / kInt4Group, tiles = (outFeatures + kInt4Tile - 1) / kInt4Tile;
  pool.reserveScratch(static_cast<size_t>(rows * groups) * sizeof(Int4Activations), 0);
  auto* activations = static_cast<Int4Activations*>(pool.sharedScratch());
  // Rounding a group takes about 20 ns.
  parallelChunks(pool, rows * groups, 512, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) roundActivations(activations + i, x + i * kInt4Group);
  });
  const int64_t tileBytes = groups * (kInt4GroupBytes + kInt4Tile * static_cast<int64_t>(sizeof(uint16_t)));
  pool.weightTraffic().read += tiles * tileBytes;
  const Int4Linear problem = {out,
                              static_cast<const uint8_t*>(weight.data),
                              static_cast<const uint16_t*>(weight.scales),
                              bias,
                              activations,
                              rows,
                              groups,
                              outFeatures};
  const int64_t grain = kPieceBytes / (tileBytes > 0 ? tileBytes : 1) + 1;
  if (tiles * tileBytes <= kOneThreadBytes && rows < kInt4Rows) {
    int4Tiles(problem, 0, tiles);
  } else {
    parallelChunks(pool, tiles, grain, [&](int64_t begin, int64_t end) { int4Tiles(problem, begin, end); });
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
