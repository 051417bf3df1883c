// linearByInput for int8 and int4 weights: sums of products of whole numbers, as linear takes them
// (integer_tiles.h), with weights that lie by input.
//
// VNNI wants four inputs of an output side by side, and they lie a row apart. So rows of four inputs are
// interleaved, bytes and then pairs, eight instructions for four rows of 64 bytes; an input that is zero in
// every row is not among them, and since the sums of a group of 32 inputs are exact, leaving it out changes
// no bit. Outputs come in the order of interleave() and are put right at the end.
//
// Bytes: 1 or 1/2 for each weight of a live input; int4 also 2 for each output and each group with a live
// input, which is 1/8 of what all weights take. Times: linear_by_input.cc.
#pragma once

#include <algorithm>
#include <cstring>

#include "cpu/ops/integer_tiles.h"
#include "cpu/ops/live_inputs.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Vectors of sixteen outputs that 64 interleaved bytes give. */
constexpr int kInterleaved = 4;
constexpr int kQuads = static_cast<int>(kGroupInputs) / 4;
// Rows that use a panel of weights together: sixteen of 32 registers hold their sums. (With six rows and 24
// sums GCC 12 stores each sum after each instruction: 512 rows of 16384 x 4096 take 164 ms instead of 80.)
#if defined(__AVX512F__)
constexpr int kPanelTileRows = 4;
#else
constexpr int kPanelTileRows = 1;
#endif

struct IntegersByInput {
  float* out;
  const float* x;
  const uint8_t* weight;
  const void* scales;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;
  int64_t groups() const { return (inFeatures + kGroupInputs - 1) / kGroupInputs; }
};

/** 64 outputs at a time. A strip is what sixteen registers hold the sums of. */
struct Int8ByInput {
  static constexpr int kHalves = 1;
  static constexpr int64_t kOutputs = 64;
  static constexpr int kStripUnits = 4, kPassUnits = 1;
  static constexpr int64_t kPassInputs = 4, kPassAheadBytes = 2048;
  static constexpr int64_t kMostWholeQuads = 0;
  static constexpr bool kScalesOutputs = true;
  struct Scales {};

  static int64_t rowBytes(const IntegersByInput& problem) { return problem.outFeatures; }
  static int64_t scaleBytes(const IntegersByInput&) { return 0; }  // of a group

  static PERSIMMON_INLINE void interleaveInputs(const Bytes (&inputs)[4], Bytes (&out)[1][kInterleaved]) {
    Bytes shifted[4];
    for (int j = 0; j < 4; ++j) shifted[j] = addInt8Zero(inputs[j]);
    interleave(shifted, out[0]);
  }
  static PERSIMMON_INLINE Integers begin(int32_t sum) { return Int8Tiles::begin(sum); }
  static PERSIMMON_INLINE Integers addDots(Integers sums, Bytes weights, Bytes x) {
    return addInt8Dots(sums, weights, x);
  }
  static PERSIMMON_INLINE void prefetchScales(const IntegersByInput&, int64_t, int64_t) {}
  static PERSIMMON_INLINE Scales loadScales(const IntegersByInput&, int64_t, int64_t) { return {}; }
  static PERSIMMON_INLINE Vec scale(const Scales&, int, int, float x) { return broadcast(x); }
  /** Where the four outputs of lanes [4 * quarter, ...) of a vector lie. */
  static int64_t output(int, int vector, int quarter) { return 16 * quarter + 4 * vector; }
};

/** 128 outputs at a time, low halves of bytes and then high ones. */
struct Int4ByInput {
  static constexpr int kHalves = 2;
  static constexpr int64_t kOutputs = 128;
  static constexpr int kStripUnits = 2, kPassUnits = 2;
  static constexpr int64_t kPassInputs = 8, kPassAheadBytes = 1024;
  static constexpr int64_t kMostWholeQuads = 4;
  static constexpr bool kScalesOutputs = false;
  struct Scales {
    Vec v[2][kInterleaved];
  };

  static int64_t paddedOutputs(const IntegersByInput& problem) {
    return (problem.outFeatures + kInt4Unit - 1) / kInt4Unit * kInt4Unit;
  }
  static int64_t rowBytes(const IntegersByInput& problem) { return paddedOutputs(problem) / 2; }
  static int64_t scaleBytes(const IntegersByInput& problem) { return paddedOutputs(problem) * 2; }

  static PERSIMMON_INLINE void interleaveInputs(const Bytes (&inputs)[4], Bytes (&out)[2][kInterleaved]) {
    Bytes both[kInterleaved];
    interleave(inputs, both);
    for (int v = 0; v < kInterleaved; ++v) splitHalves(both[v], &out[0][v], &out[1][v]);
  }
  static PERSIMMON_INLINE Integers begin(int32_t sum) { return Int4Tiles::begin(sum); }
  static PERSIMMON_INLINE Integers addDots(Integers sums, Bytes weights, Bytes x) {
    return addInt4Dots(sums, weights, x);
  }
  static PERSIMMON_INLINE const BFloat16* scalesOf(const IntegersByInput& problem, int64_t group,
                                                   int64_t output) {
    return static_cast<const BFloat16*>(problem.scales) + group * paddedOutputs(problem) + output;
  }
  static PERSIMMON_INLINE void prefetchScales(const IntegersByInput& problem, int64_t group, int64_t output) {
    const BFloat16* p = scalesOf(problem, group, output);
    for (int64_t i = 0; i < kOutputs; i += 32) __builtin_prefetch(p + i, 0, 3);
  }
  static PERSIMMON_INLINE Scales loadScales(const IntegersByInput& problem, int64_t group, int64_t output) {
    const BFloat16* p = scalesOf(problem, group, output);
    if (paddedOutputs(problem) - output >= kOutputs) return loadWholeScales(p);
    Scales scales;  // one unit, twice: the other has no outputs
    loadInterleaved(p, p, scales.v[0]);
    loadInterleaved(p + 32, p + 32, scales.v[1]);
    return scales;
  }
  /** Those of kOutputs outputs, all of which are there. */
  static PERSIMMON_INLINE Scales loadWholeScales(const BFloat16* p) {
    Scales scales;
    loadInterleaved(p, p + kInt4Unit, scales.v[0]);
    loadInterleaved(p + 32, p + kInt4Unit + 32, scales.v[1]);
    return scales;
  }
  static PERSIMMON_INLINE Vec scale(const Scales& scales, int half, int vector, float x) {
    return scales.v[half][vector] * broadcast(x);
  }
  static int64_t output(int half, int vector, int quarter) {
    return kInt4Unit * (quarter / 2) + 32 * half + 16 * (quarter % 2) + 4 * vector;
  }
};

/** Where the weights of up to 32 inputs of a group begin, filled up to whole quads. */
struct GroupWeights {
  const uint8_t* inputs[kGroupInputs];
  int64_t group, count, quads;
};

/** The kOutputs outputs from byte `at` of four inputs' weights, of which `left` bytes are there. */
template <class Format>
PERSIMMON_INLINE void loadQuad(const uint8_t* const* inputs, int64_t at, int64_t left,
                               Bytes (&out)[Format::kHalves][kInterleaved]) {
  Bytes rows[4];
  for (int j = 0; j < 4; ++j) {
    if (left >= 64) {
      rows[j] = loadBytes(inputs[j] + at);
    } else {
      uint8_t bytes[64] = {};
      std::memcpy(bytes, inputs[j] + at, static_cast<size_t>(left));
      rows[j] = loadBytes(bytes);
    }
  }
  Format::interleaveInputs(rows, out);
}

/** Weights to fetch while others are in use: those of `weights` from byte `at` on. */
template <class Format>
struct FetchAhead {
  const GroupWeights& weights;
  int64_t at;

  /** A strip of the inputs of one quad, if there is one, to the second-level cache: rows a power of two apart
   * push each other out of the first. */
  PERSIMMON_INLINE void quad(int64_t quad) const {
    if (quad >= weights.quads) return;
    const int64_t end = std::min(4 * quad + 4, weights.count);
    for (int64_t j = 4 * quad; j < end; ++j) {
      PERSIMMON_UNROLL
      for (int unit = 0; unit < Format::kStripUnits; ++unit) {
        __builtin_prefetch(weights.inputs[j] + at + 64 * unit, 0, 2);
      }
    }
  }
};

/** Interleaved weights of a group for kOutputs outputs: [half][quad][vector][64]. */
constexpr int64_t kHalfPanelBytes = kQuads * kInterleaved * 64;
template <class Format>
constexpr int64_t kIntegerPanelBytes = Format::kHalves * kHalfPanelBytes;

/** One quad after another, since the rows of many lie in the same places of the cache. */
template <class Format>
PERSIMMON_INLINE void fillPanels(uint8_t* panels, const GroupWeights& weights, int64_t at, int64_t left,
                                 int64_t units) {
  for (int64_t quad = 0; quad < weights.quads; ++quad) {
    for (int64_t unit = 0; unit < units; ++unit) {
      Bytes w[Format::kHalves][kInterleaved];
      loadQuad<Format>(weights.inputs + 4 * quad, at + 64 * unit, left - 64 * unit, w);
      uint8_t* panel = panels + unit * kIntegerPanelBytes<Format> + quad * kInterleaved * 64;
      for (int half = 0; half < Format::kHalves; ++half) {
        for (int v = 0; v < kInterleaved; ++v)
          storeBytes(panel + half * kHalfPanelBytes + v * 64, w[half][v]);
      }
    }
  }
}

/** sums[M][one half of kOutputs] += the products of a group. */
template <class Format, int M>
PERSIMMON_INLINE void addPanelToTile(float* sums, const uint8_t* panel, int64_t quads,
                                     const ActivationGroup* x, const typename Format::Scales& scales,
                                     int half) {
  Integers dots[M][kInterleaved];
  PERSIMMON_UNROLL
  for (int m = 0; m < M; ++m) {
    const Integers first = Format::begin(x[m].sum);
    PERSIMMON_UNROLL
    for (int v = 0; v < kInterleaved; ++v) dots[m][v] = first;
  }
  const int8_t* words = x->words[0][0];
  for (int64_t quad = 0; quad < quads; ++quad) {
    Bytes w[kInterleaved];
    PERSIMMON_UNROLL
    for (int v = 0; v < kInterleaved; ++v) w[v] = loadBytes(panel + (quad * kInterleaved + v) * 64);
    PERSIMMON_UNROLL
    for (int m = 0; m < M; ++m) {
      const Bytes four = broadcastWord(words + m * static_cast<int64_t>(sizeof(ActivationGroup)) + 4 * quad);
      PERSIMMON_UNROLL
      for (int v = 0; v < kInterleaved; ++v) dots[m][v] = Format::addDots(dots[m][v], w[v], four);
    }
  }
  PERSIMMON_UNROLL
  for (int m = 0; m < M; ++m) {
    PERSIMMON_UNROLL
    for (int v = 0; v < kInterleaved; ++v) {
      float* row = sums + m * Format::kOutputs + v * kLanes;
      store(row, fma(toFloats(dots[m][v]), Format::scale(scales, half, v, x[m].scale), load(row)));
    }
  }
}

/** Rows in tiles of M, and what is left in smaller ones. */
template <class Format, int M>
void addPanelToRows(float* sums, const uint8_t* panel, int64_t quads, const ActivationGroup* x, int64_t rows,
                    const typename Format::Scales& scales) {
  for (; rows >= M; rows -= M, x += M, sums += M * Format::kOutputs) {
    for (int half = 0; half < Format::kHalves; ++half) {
      addPanelToTile<Format, M>(sums + half * kInterleaved * kLanes, panel + half * kHalfPanelBytes, quads, x,
                                scales, half);
    }
  }
  if constexpr (M > 1) {
    if (rows > 0) addPanelToRows<Format, M / 2>(sums, panel, quads, x, rows, scales);
  }
}

/** kOutputs sums of a row in the order of its outputs. */
template <class Format>
PERSIMMON_INLINE void inOrder(float* out, const float* sums) {
  for (int half = 0; half < Format::kHalves; ++half) {
    for (int v = 0; v < kInterleaved; ++v) {
      for (int quarter = 0; quarter < 4; ++quarter, sums += 4) {
        std::memcpy(out + Format::output(half, v, quarter), sums, 4 * sizeof(float));
      }
    }
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
