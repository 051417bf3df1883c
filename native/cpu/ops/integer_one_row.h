// One row through int8 and int4 weights that lie by input: the live inputs of a part, four by four.
//
// A pass goes along the outputs with the weights of up to kPassInputs inputs, of one group of 32 or of
// several, each fetched kPassAheadBytes ahead of its use. A group that takes more than one pass leaves its
// sums, still whole numbers, for the next: with all of its rows at once, which lie a power of two apart, they
// push each other out of the first-level cache (16384 x 4096 in int8 with every input live, 2 threads of a
// Zen 5 server: 2.0 ms instead of 1.1). Another such server, ms with all inputs live, half and a tenth: int8
// 8 inputs fetched 768 bytes ahead 1.79, 0.98 and 0.21, 4 inputs 2 KiB ahead 1.68, 0.85 and 0.18; int4 8
// inputs 0.83, 0.51 and 0.20 (768 bytes ahead), 4 inputs 0.86, 0.61 and 0.26 (2 KiB), 16 inputs 0.90, 0.49
// and 0.23 (512).
#pragma once

#include "cpu/ops/integer_by_input.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Up to four live inputs of a group: their weights, those of the first again for what is missing, and their
 * activations. */
struct LiveQuad {
  const uint8_t* weights[4];
  int8_t word[4];
  int32_t count;
  int32_t group;
  bool isFirst, isLast;  // of its group
  int32_t sum;           // of the activations of the group
  float scale;
};

/** The live inputs of one group, after `count` quads. Returns the number of quads then. */
PERSIMMON_INLINE int64_t addQuads(LiveQuad* quads, int64_t count, const ActivationGroup& x,
                                  const GroupWeights& weights) {
  const int8_t* words = x.words[0][0];
  for (int64_t i = 0; i < weights.quads; ++i, words += 4) {
    LiveQuad& quad = quads[count++];
    for (int j = 0; j < 4; ++j) {
      quad.weights[j] = weights.inputs[4 * i + j];
      quad.word[j] = words[j];
    }
    quad.count = static_cast<int32_t>(std::min<int64_t>(weights.count - 4 * i, 4));
    quad.group = static_cast<int32_t>(weights.group);
    quad.isFirst = i == 0;
    quad.isLast = i + 1 == weights.quads;
    quad.sum = x.sum;
    quad.scale = x.scale;
  }
  return count;
}

/** Quads that are taken together. */
struct QuadPass {
  const LiveQuad *begin, *end;

  static QuadPass from(const LiveQuad* begin, const LiveQuad* last, int64_t mostInputs) {
    int64_t inputs = 0;
    const LiveQuad* end = begin;
    while (end < last && (end == begin || inputs + end->count <= mostInputs)) inputs += end++->count;
    return {begin, end};
  }
};

/** Fetches what a pass reads for the outputs from `output` on, at byte `at` of each row of weights. */
template <class Format>
PERSIMMON_INLINE void fetchPass(const IntegersByInput& problem, const QuadPass& pass, int64_t at,
                                int64_t output) {
  for (const LiveQuad* quad = pass.begin; quad < pass.end; ++quad) {
    for (int unit = 0; unit < Format::kPassUnits; ++unit) {
      for (int j = 0; j < quad->count; ++j) __builtin_prefetch(quad->weights[j] + at + 64 * unit, 0, 3);
      if (quad->isLast) Format::prefetchScales(problem, quad->group, output + unit * Format::kOutputs);
    }
  }
}

/** sums[Units][kOutputs] += the products of a pass; `waiting` holds the whole numbers of a group that another
 * pass began or goes on with. */
template <class Format, int Units>
PERSIMMON_INLINE void addPass(const IntegersByInput& problem, float* sums, int32_t* waiting,
                              const QuadPass& pass, int64_t column, int64_t at, int64_t left) {
  constexpr int kHalves = Format::kHalves, kVectors = Units * kHalves * kInterleaved;
  Integers dots[kVectors];
  for (const LiveQuad* quad = pass.begin; quad < pass.end; ++quad) {
    if (quad->isFirst) {
      PERSIMMON_UNROLL
      for (int v = 0; v < kVectors; ++v) dots[v] = Format::begin(quad->sum);
    } else if (quad == pass.begin) {
      PERSIMMON_UNROLL
      for (int v = 0; v < kVectors; ++v) dots[v] = loadIntegers(waiting + v * kLanes);
    }
    const Bytes four = broadcastWord(quad->word);
    PERSIMMON_UNROLL
    for (int unit = 0; unit < Units; ++unit) {
      Bytes w[kHalves][kInterleaved];
      loadQuad<Format>(quad->weights, at + 64 * unit, Units > 1 ? 64 : left, w);
      PERSIMMON_UNROLL
      for (int half = 0; half < kHalves; ++half) {
        PERSIMMON_UNROLL
        for (int v = 0; v < kInterleaved; ++v) {
          Integers& sum = dots[(unit * kHalves + half) * kInterleaved + v];
          sum = Format::addDots(sum, w[half][v], four);
        }
      }
    }
    if (quad->isLast) {
      PERSIMMON_UNROLL
      for (int unit = 0; unit < Units; ++unit) {
        const auto scales = Format::loadScales(problem, quad->group, column + unit * Format::kOutputs);
        PERSIMMON_UNROLL
        for (int half = 0; half < kHalves; ++half) {
          PERSIMMON_UNROLL
          for (int v = 0; v < kInterleaved; ++v) {
            const int i = (unit * kHalves + half) * kInterleaved + v;
            float* sum = sums + i * kLanes;
            store(sum, fma(toFloats(dots[i]), Format::scale(scales, half, v, quad->scale), load(sum)));
          }
        }
      }
    } else if (quad + 1 == pass.end) {
      PERSIMMON_UNROLL
      for (int v = 0; v < kVectors; ++v) storeIntegers(waiting + v * kLanes, dots[v]);
    }
  }
}

/** sums[outputs] += the products of `count` quads, for outputs from `column` on, whose weights are `bytes` of
 * every row. `waiting` has as much room as the sums. */
template <class Format>
void addQuadsToRow(const IntegersByInput& problem, float* sums, int32_t* waiting, const LiveQuad* quads,
                   int64_t count, int64_t column, int64_t bytes) {
  constexpr int64_t kBytes = 64 * Format::kPassUnits, kOutputs = Format::kPassUnits * Format::kOutputs;
  const int64_t whole = (bytes + kBytes - 1) / kBytes * kBytes;
  const LiveQuad* last = quads + count;
  QuadPass pass = QuadPass::from(quads, last, Format::kPassInputs);
  while (pass.begin < last) {
    const QuadPass next = QuadPass::from(pass.end, last, Format::kPassInputs);
    for (int64_t at = 0, first = 0; at < bytes; at += kBytes, first += kOutputs) {
      // Rows shorter than that are fetched from the beginning of the next pass on.
      const int64_t ahead = at + Format::kPassAheadBytes;
      const int64_t place = ahead < bytes ? ahead : std::max<int64_t>(ahead - whole, 0);
      fetchPass<Format>(problem, ahead < bytes ? pass : next, place, column + place / 64 * Format::kOutputs);
      if (bytes - at >= kBytes) {
        addPass<Format, Format::kPassUnits>(problem, sums + first, waiting + first, pass, column + first, at,
                                            64);
        continue;
      }
      for (int64_t i = at, c = first; i < bytes; i += 64, c += Format::kOutputs) {
        addPass<Format, 1>(problem, sums + c, waiting + c, pass, column + c, i,
                           std::min<int64_t>(bytes - i, 64));
      }
    }
    pass = next;
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
