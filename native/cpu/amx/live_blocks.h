// What the tiles give, without the tiles: sums of up to eight rows over the inputs that are not zero, for
// weights that are stored by input. Leaving out a zero changes no bit, so these are the bits that blocks.h
// gives for more rows.
//
// A step of 32 inputs is added as a tile adds it: part by part, of each a chain over the even and one over
// the odd inputs. Subnormal numbers count as zero here, too (see FlushSubnormals).
#pragma once

#include "cpu/amx/split_rows.h"
#include "cpu/ops/live_inputs.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** While it lives, this thread takes subnormal numbers for zero. */
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kSubnormalsAreZero); }
  ~FlushSubnormals() { _mm_setcsr(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  static constexpr unsigned kFlushToZero = 0x8000, kSubnormalsAreZero = 0x0040;
  unsigned before_;
};

/** Activations as their parts: [row][part][inFeatures]. */
struct FloatParts {
  const float* data;
  int64_t inFeatures;
  const float* at(int64_t row, int part) const { return data + (row * kParts + part) * inFeatures; }
};

/** The live inputs of a step that are even, or those that are odd, and where their weights begin. */
struct Chain {
  int count = 0;
  int64_t inputs[kTile];
  const BFloat16* weights[kTile];
};

struct LiveStep {
  Chain chains[2];
  bool any() const { return chains[0].count + chains[1].count > 0; }
};

/** Nothing after the last step. */
inline LiveStep liveStep(const LiveInputs& live, int64_t step, int64_t steps, const BFloat16* weight,
                         int64_t outFeatures) {
  LiveStep found;
  if (step >= steps) return found;
  for (int64_t i = live.starts[step]; i < live.starts[step + 1]; ++i) {
    const int64_t input = live.inputs[i];
    Chain& chain = found.chains[input % 2];
    chain.inputs[chain.count] = input;
    chain.weights[chain.count++] = weight + input * outFeatures;
  }
  return found;
}

PERSIMMON_INLINE void fetchColumn(const LiveStep& step, int64_t column) {
  for (const Chain& chain : step.chains) {
    for (int i = 0; i < chain.count; ++i) __builtin_prefetch(chain.weights[i] + column, 0, 3);
  }
}

/** Adds a step to Vectors times sixteen sums of one row. */
template <int Vectors>
PERSIMMON_INLINE void addToSums(float* sums, const LiveStep& step, const float* const (&parts)[kParts],
                                int64_t column) {
  Vec chains[2][kParts][Vectors];
  for (int odd = 0; odd < 2; ++odd) {
    Vec(&sum)[kParts][Vectors] = chains[odd];
    for (int part = 0; part < kParts; ++part) {
      for (int v = 0; v < Vectors; ++v) sum[part][v] = zero();
    }
    const Chain& chain = step.chains[odd];
    for (int i = 0; i < chain.count; ++i) {
      Vec w[Vectors];
      for (int v = 0; v < Vectors; ++v) w[v] = load(chain.weights[i] + column + v * kLanes);
      for (int part = 0; part < kParts; ++part) {
        const Vec x = broadcast(parts[part][chain.inputs[i]]);
        for (int v = 0; v < Vectors; ++v) sum[part][v] = fma(x, w[v], sum[part][v]);
      }
    }
  }
  for (int v = 0; v < Vectors; ++v) {
    Vec sum = load(sums + column + v * kLanes);
    for (int part = 0; part < kParts; ++part) sum = sum + (chains[0][part][v] + chains[1][part][v]);
    store(sums + column + v * kLanes, sum);
  }
}

/** Adds a step to sums[0, columns) of one row, columns a multiple of 16, and fetches the weights of `next`.
 */
inline void addStep(float* sums, const LiveStep& step, const FloatParts& x, int64_t row, int64_t columns,
                    const LiveStep& next) {
  // The smallest part first.
  const float* const parts[kParts] = {x.at(row, 2), x.at(row, 1), x.at(row, 0)};
  constexpr int kVectors = 4;
  int64_t column = 0;
  for (; column + kVectors * kLanes <= columns; column += kVectors * kLanes) {
    fetchColumn(next, column);
    fetchColumn(next, column + 32);
    addToSums<kVectors>(sums, step, parts, column);
  }
  for (; column < columns; column += kLanes) {
    fetchColumn(next, column);
    addToSums<1>(sums, step, parts, column);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
