// One row through int8 and int4 weights that lie by input: the live inputs of a part, four by four.
//
// A pass goes along the outputs with the weights of up to kPassInputs inputs, of one group of 32 or of
// several, each fetched kPassAheadBytes ahead of its use. A group that takes more than one pass leaves its
// sums, still whole numbers, for the next: with all of its rows at once, which lie a power of two apart, they
// push each other out of the first-level cache (16384 x 4096 in int8 with every input live, 2 threads of a
// Zen 5 server: 2.0 ms instead of 1.1). Another such server that reads 50 GB/s, int8, ms with all inputs
// live, half and a tenth: 8 inputs fetched 768 bytes ahead 1.79, 0.98 and 0.21, 4 inputs 2 KiB ahead 1.68,
// 0.85 and 0.18. int4, whose scales cost more than its weights where a group has few live inputs: a group of
// up to 16 live inputs is a pass of its own in which nothing has to be decided (a tenth live 0.16 -> 0.145,
// from the third-level cache 0.12 -> 0.08).
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

  bool isWholeGroup() const { return begin->isFirst && end[-1].isLast && begin->group == end[-1].group; }
  /** A whole group of up to kMostWholeQuads, or up to kPassInputs inputs. */
  template <class Format>
  static QuadPass from(const LiveQuad* begin, const LiveQuad* last) {
    if (begin < last && begin->isFirst) {
      const LiveQuad* end = begin + 1;
      while (!end[-1].isLast) ++end;
      if (end - begin <= Format::kMostWholeQuads) return {begin, end};
    }
    int64_t inputs = 0;
    const LiveQuad* end = begin;
    while (end < last && (end == begin || inputs + end->count <= Format::kPassInputs)) inputs += end++->count;
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

/** sums += the products of a whole group of Q quads, two units at a time, for as many of `bytes` as that
 * goes. Returns how many. Nothing has to be decided on the way, as in addPass. */
template <class Format, int Q>
PERSIMMON_INLINE int64_t addWholeGroup(const IntegersByInput& problem, float* sums, const QuadPass& pass,
                                       const QuadPass& next, int64_t column, int64_t bytes) {
  constexpr int kHalves = Format::kHalves, kVectors = kHalves * kInterleaved;
  constexpr int64_t kBytes = 64 * Format::kPassUnits;
  const int64_t whole = bytes / kBytes * kBytes;
  const auto* scales = Format::scalesOf(problem, pass.begin->group, column);
  const uint8_t* weights[Q][4];
  Bytes words[Q];
  PERSIMMON_UNROLL
  for (int q = 0; q < Q; ++q) {
    words[q] = broadcastWord(pass.begin[q].word);
    for (int j = 0; j < 4; ++j) weights[q][j] = pass.begin[q].weights[j];
  }
  const Integers first = Format::begin(pass.begin->sum);
  const float scale = pass.begin->scale;
  for (int64_t at = 0; at < whole; at += kBytes) {
    const int64_t ahead = at + Format::kPassAheadBytes;
    if (ahead < whole) {
      PERSIMMON_UNROLL
      for (int unit = 0; unit < Format::kPassUnits; ++unit) {
        for (int q = 0; q < Q; ++q) {
          for (int j = 0; j < 4; ++j) __builtin_prefetch(weights[q][j] + ahead + 64 * unit, 0, 3);
        }
        const auto* later = scales + (ahead / 64 + unit) * Format::kOutputs;
        for (int64_t i = 0; i < Format::kOutputs; i += 32) __builtin_prefetch(later + i, 0, 3);
      }
    } else {
      const int64_t place = ahead - whole;
      fetchPass<Format>(problem, next, place, column + place / 64 * Format::kOutputs);
    }
    PERSIMMON_UNROLL
    for (int unit = 0; unit < Format::kPassUnits; ++unit, sums += kVectors * kLanes) {
      Integers dots[kVectors];
      PERSIMMON_UNROLL
      for (int v = 0; v < kVectors; ++v) dots[v] = first;
      PERSIMMON_UNROLL
      for (int q = 0; q < Q; ++q) {
        Bytes w[kHalves][kInterleaved];
        loadQuad<Format>(weights[q], at + 64 * unit, 64, w);
        PERSIMMON_UNROLL
        for (int v = 0; v < kVectors; ++v) {
          dots[v] = Format::addDots(dots[v], w[v / kInterleaved][v % kInterleaved], words[q]);
        }
      }
      const auto factors = Format::loadWholeScales(scales + (at / 64 + unit) * Format::kOutputs);
      PERSIMMON_UNROLL
      for (int v = 0; v < kVectors; ++v) {
        const Vec factor = Format::scale(factors, v / kInterleaved, v % kInterleaved, scale);
        store(sums + v * kLanes, fma(toFloats(dots[v]), factor, load(sums + v * kLanes)));
      }
    }
  }
  return whole;
}

/** addWholeGroup for a pass that is one. */
template <class Format>
int64_t addIfWhole(const IntegersByInput& problem, float* sums, const QuadPass& pass, const QuadPass& next,
                   int64_t column, int64_t bytes) {
  if constexpr (Format::kMostWholeQuads > 0) {
    static_assert(Format::kMostWholeQuads == 4);
    if (!pass.isWholeGroup()) return 0;
    switch (pass.end - pass.begin) {
      case 1:
        return addWholeGroup<Format, 1>(problem, sums, pass, next, column, bytes);
      case 2:
        return addWholeGroup<Format, 2>(problem, sums, pass, next, column, bytes);
      case 3:
        return addWholeGroup<Format, 3>(problem, sums, pass, next, column, bytes);
      case 4:
        return addWholeGroup<Format, 4>(problem, sums, pass, next, column, bytes);
    }
  }
  return 0;
}

/** sums[outputs] += the products of `count` quads, for outputs from `column` on, whose weights are `bytes` of
 * every row. `waiting` has as much room as the sums. */
template <class Format>
void addQuadsToRow(const IntegersByInput& problem, float* sums, int32_t* waiting, const LiveQuad* quads,
                   int64_t count, int64_t column, int64_t bytes) {
  constexpr int64_t kBytes = 64 * Format::kPassUnits, kOutputs = Format::kPassUnits * Format::kOutputs;
  const int64_t whole = (bytes + kBytes - 1) / kBytes * kBytes;
  const LiveQuad* last = quads + count;
  QuadPass pass = QuadPass::from<Format>(quads, last);
  while (pass.begin < last) {
    const QuadPass next = QuadPass::from<Format>(pass.end, last);
    const int64_t done = addIfWhole<Format>(problem, sums, pass, next, column, bytes);
    for (int64_t at = done, first = done / 64 * Format::kOutputs; at < bytes;
         at += kBytes, first += kOutputs) {
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
