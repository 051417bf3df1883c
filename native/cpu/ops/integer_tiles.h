// linear for int8 and int4 weights in tiles of 16 outputs, one lane for each output.
//
// Activations are rounded to whole numbers from -127 to 127 with a scale for each group of 32, as in
// llama.cpp's Q8_0, so that a group takes eight instructions of VNNI. In float32 an int4 weight would take
// five times as many, and two cores could not read as fast as memory gives. The error, at most 1/254 of the
// largest of 32 activations, is small beside that of int4 weights and about that of int8 ones
// (test/library/quantized.test.ts).
//
// Bytes: the weights once, 1 or 4.5 / 8 each, and 2 or 4 of scales; rows and results are small beside them.
// One row of 4096 or 16384 inputs on 2 threads of a 2-core Zen 5 server that reads 57 to 64 GB/s: int8 57-62
// GB/s, int4 49-56 (83 to 90 %). In a whole model with everything read: 87 and 86 % of the bandwidth probed
// beside it; on a Sapphire Rapids server 86 and 84 % before tiles went side by side. Prefill of 128 tokens
// 497 and 486 tokens/s on the Zen 5, with bfloat16 157 (bench/RESULTS.md).
#pragma once

#include "cpu/isa.h"
#include "cpu/ops/linear_pieces.h"
#include "cpu/ops/linear_tile.h"
#include "cpu/simd/integer_dot.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// Rows that use a tile of weights while it is in registers: eight of 32 hold the weights of a group, sixteen
// the sums (16 rows of 4096 x 16384 took 3.0 ms in int4 and 3.4 in int8, in two passes of eight rows 3.3 and
// 3.6; kTileAhead says what they take now). Tiles that a single row goes along side by side (ReadOrder), and
// how many bytes ahead each is fetched: two threads, int4, GB/s,
//   a Zen 5 server that read 55: one tile fetched 4 KiB ahead 38, 8 KiB 41; two fetched 1 KiB ahead 45, three
//   52, four 54, six 52, eight 52; four fetched 512 bytes or 2 KiB ahead 51 and 53.
//   another that read 51: one tile fetched 6, 8, 12 or 16 KiB ahead 55 to 56, four 50; while it read 82: one
//   fetched 4 KiB ahead 69, 8 KiB 77, four 68.
// With the 16 registers of AVX2 two tiles side by side read 35, one 55.
#if defined(__AVX512F__)
constexpr int kIntegerRows = 16;
constexpr int kTilesAtOnce = 4;
#else
constexpr int kIntegerRows = 1;
constexpr int kTilesAtOnce = 1;
#endif
/** How far ahead of their use the weights of P tiles are fetched. Several rows over one tile, two threads of
 * a server that reads 46 to 80 GB/s, 1 KiB ahead and 8, ms of 4096 x 16384, medians of five runs interleaved:
 * int8 4 rows 1.63 and 1.48, 8 1.93 and 1.65, 16 3.1 and 1.8, 32 4.8 and 3.3, 64 7.8 and 6.4; int4 4 0.97 and
 * 0.85, 8 1.28 and 1.06, 16 2.4 and 1.9, 32 3.8 and 3.4; 512 alike. 4 KiB are between, 16 behind 8. */
template <int P>
constexpr int64_t kTileAhead = P == 1 ? 8192 : 1024;
constexpr int64_t kFewIntegerRows = 8;

/** 32 activations: whole numbers in the order of the weights' words and halves, and their sum. */
struct ActivationGroup {
  int8_t words[kGroupWords][2][4];
  int32_t sum;
  float scale;
};

/** Weights of one group of 16 outputs, [word][half]. */
using WeightGroup = Bytes[kGroupWords][2];

/** Each output has a float32 scale. */
struct Int8Tiles {
  static constexpr int kBits = 8;
  static constexpr int64_t kGroupBytes = kWeightTile * kGroupInputs;
  static constexpr int64_t kScaleBytes = 0;  // of a group

  static PERSIMMON_INLINE void loadGroup(const uint8_t* p, WeightGroup& group) {
    for (int k = 0; k < kGroupWords; ++k) {
      for (int half = 0; half < 2; ++half) group[k][half] = loadBytes(p + 128 * k + 64 * half);
    }
  }
  static PERSIMMON_INLINE Integers addDots(Integers sums, Bytes weights, Bytes x) {
    return addInt8Dots(sums, weights, x);
  }
  static PERSIMMON_INLINE Integers begin(int32_t sum) { return broadcastInteger(kInt8Shift * sum); }
  /** What the products of a group are multiplied with: that of the activations. */
  static PERSIMMON_INLINE Vec groupScale(const void*, int64_t, float x) { return broadcast(x); }
  static PERSIMMON_INLINE Vec finish(Vec sum, const void* scales, int64_t first, int64_t left) {
    return sum * loadUpTo(static_cast<const float*>(scales) + first, left);
  }
};

/** Each group of each output has a bfloat16 scale, [tile][group][output]. */
struct Int4Tiles {
  static constexpr int kBits = 4;
  static constexpr int64_t kGroupBytes = kWeightTile * kGroupInputs / 2;
  static constexpr int64_t kScaleBytes = kWeightTile * 2;

  static PERSIMMON_INLINE void loadGroup(const uint8_t* p, WeightGroup& group) {
    for (int k = 0; k < kGroupWords; ++k) splitHalves(loadBytes(p + 64 * k), &group[k][0], &group[k][1]);
  }
  static PERSIMMON_INLINE Integers addDots(Integers sums, Bytes weights, Bytes x) {
    return addInt4Dots(sums, weights, x);
  }
  static PERSIMMON_INLINE Integers begin(int32_t sum) { return broadcastInteger(-kInt4Zero * sum); }
  static PERSIMMON_INLINE Vec groupScale(const void* scales, int64_t group, float x) {
    return load(static_cast<const BFloat16*>(scales) + group * kWeightTile) * broadcast(x);
  }
  static PERSIMMON_INLINE Vec finish(Vec sum, const void*, int64_t, int64_t) { return sum; }
};

struct IntegerLinear {
  float* out;
  const uint8_t* weight;
  const void* scales;
  Weight bias;
  const ActivationGroup* x;  // [groups][rows]
  int64_t rows, groups, outFeatures;
};

/** `left` of 32 numbers, zeros after them. A group with a number that is not finite makes every result NaN.
 */
PERSIMMON_INLINE void roundActivations(ActivationGroup* out, const float* x, int64_t left) {
  const Vec a = loadUpTo(x, left), b = left > kLanes ? loadUpTo(x + kLanes, left - kLanes) : zero();
  const float nothing = reduceAdd(a * zero() + b * zero());
  const Vec magnitude = max(max(a, zero() - a), max(b, zero() - b));
  const float largest = reduceMax(magnitude);
  // Below this the scale would be subnormal, and the quotients could overflow.
  const bool usable = nothing == 0.0f && largest > 1e-35f;
  const float inverse = usable ? 127.0f / largest : 0.0f;
  // Adding 1.5 * 2^23 leaves the number, rounded to the nearest and even, in the lowest bits.
  constexpr float kRounding = 12582912.0f;
  constexpr int32_t kRoundingBits = 0x4B400000;
  const auto rounded = [&](Vec v) {
    return fma(usable ? v : zero(), broadcast(inverse), broadcast(kRounding));
  };
  out->sum = storeWords(&out->words[0][0][0], rounded(a), rounded(b), kRoundingBits);
  out->scale = nothing == 0.0f ? (usable ? largest / 127.0f : 0.0f) : nothing;
}

/** The groups of all rows, [group][row], in the shared scratch. */
inline const ActivationGroup* roundRows(ThreadPool& pool, const float* x, int64_t rows, int64_t inFeatures,
                                        size_t perThread) {
  const int64_t groups = (inFeatures + kGroupInputs - 1) / kGroupInputs;
  pool.reserveScratch(static_cast<size_t>(rows * groups) * sizeof(ActivationGroup), perThread);
  auto* activations = static_cast<ActivationGroup*>(pool.sharedScratch());
  parallelChunks(pool, rows * groups, 512, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i % rows, first = i / rows * kGroupInputs;
      roundActivations(activations + i, x + row * inFeatures + first, inFeatures - first);
    }
  });
  return activations;
}

/** P tiles of outputs for M rows. */
template <class Format, int M, int P>
PERSIMMON_INLINE void integerTile(const IntegerLinear& problem, int64_t tile, int64_t row) {
  constexpr int64_t kGroup = Format::kGroupBytes;
  const int64_t stride = problem.groups * kGroup;
  const uint8_t* w = problem.weight + tile * stride;
  const ActivationGroup* x = problem.x + row;
  Vec sums[P][M];
  zeroSums(sums);
  for (int64_t g = 0; g < problem.groups; ++g, w += kGroup, x += problem.rows) {
    // At the end of these tiles the next are fetched.
    const bool last = g + kTileAhead<P> / kGroup >= problem.groups;
    const int64_t ahead = kTileAhead<P> + (last ? (P - 1) * stride : 0);
    for (int p = 0; p < P; ++p) {
      const uint8_t* at = w + p * stride;
      if (row == 0) {
        for (int64_t line = 0; line < kGroup; line += 64) __builtin_prefetch(at + ahead + line, 0, 3);
      }
      WeightGroup weights;
      Format::loadGroup(at, weights);
      PERSIMMON_UNROLL
      for (int m = 0; m < M; ++m) {
        const ActivationGroup& group = x[m];
        Integers dots = Format::begin(group.sum);
        PERSIMMON_UNROLL
        for (int k = 0; k < kGroupWords; ++k) {
          PERSIMMON_UNROLL
          for (int half = 0; half < 2; ++half) {
            dots = Format::addDots(dots, weights[k][half], broadcastWord(group.words[k][half]));
          }
        }
        const Vec scale = Format::groupScale(problem.scales, (tile + p) * problem.groups + g, group.scale);
        sums[p][m] = fma(toFloats(dots), scale, sums[p][m]);
      }
    }
  }
  for (int p = 0; p < P; ++p) {
    const int64_t first = (tile + p) * kWeightTile, left = problem.outFeatures - first;
    for (int m = 0; m < M; ++m) {
      Vec sum = Format::finish(sums[p][m], problem.scales, first, left);
      if (problem.bias.data != nullptr) sum = sum + loadWeight(problem.bias, first, left);
      storeUpTo(problem.out + (row + m) * problem.outFeatures + first, sum, left);
    }
  }
}

/** Rows from `row` on in groups of M, and what is left in smaller ones. */
template <class Format, int M>
void integerRows(const IntegerLinear& problem, int64_t tile, int64_t row) {
  for (; row + M <= problem.rows; row += M) integerTile<Format, M, 1>(problem, tile, row);
  if constexpr (M > 1) {
    if (row < problem.rows) integerRows<Format, M / 2>(problem, tile, row);
  }
}

template <class Format>
void integerTiles(const IntegerLinear& problem, ReadOrder order, int64_t begin, int64_t end) {
  int64_t tile = begin;
  if (problem.rows == 1 && order == ReadOrder::kSideBySide) {
    for (; tile + kTilesAtOnce <= end; tile += kTilesAtOnce) {
      integerTile<Format, 1, kTilesAtOnce>(problem, tile, 0);
    }
  }
  for (; tile < end; ++tile) integerRows<Format, kIntegerRows>(problem, tile, 0);
}

template <class Format>
void sharedTiles(ThreadPool& pool, const IntegerLinear& problem, ReadOrder order, TaperedQueue queue) {
  pool.parallel([&](int, int) {
    int64_t begin, end;
    while (queue.take(&begin, &end)) integerTiles<Format>(problem, order, begin, end);
  });
}

template <class Format>
void linearInTiles(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  if (rows == 0) return;
  const int64_t groups = (inFeatures + kGroupInputs - 1) / kGroupInputs;
  const int64_t tiles = (outFeatures + kWeightTile - 1) / kWeightTile;
  const ActivationGroup* activations = roundRows(pool, x, rows, inFeatures, 0);
  const int64_t tileBytes = groups * (Format::kGroupBytes + Format::kScaleBytes);
  pool.weightTraffic().read += tiles * tileBytes;
  const IntegerLinear problem = {
      out,        static_cast<const uint8_t*>(weight.data), weight.scales, bias, activations, rows, groups,
      outFeatures};
  if (tiles * tileBytes <= kOneThreadBytes && rows <= kFewIntegerRows) {
    integerTiles<Format>(problem, ReadOrder::kSideBySide, 0, tiles);
    return;
  }
  if (rows == 1 && kTilesAtOnce > 1) {
    pool.readOrder(Format::kBits).run({rows, inFeatures, outFeatures}, [&](ReadOrder order) {
      const int64_t unit = order == ReadOrder::kSideBySide ? kTilesAtOnce : 1;
      sharedTiles<Format>(pool, problem, order, longPieces(tiles, tileBytes, unit, pool.size()));
    });
    return;
  }
  // With more rows a tile takes longer.
  const int64_t longer = std::max<int64_t>(4 * rows / kFewIntegerRows, 1);
  sharedTiles<Format>(pool, problem, ReadOrder::kSequential,
                      longPieces(tiles, tileBytes * longer, 1, pool.size()));
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
