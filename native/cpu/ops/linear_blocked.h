// linear for many rows: the matrix product proper.
//
// Blocking. Up to kBlockRows rows are packed once, so that a tile reads its rows as one stream: [panel of
// kTileRows rows][step][row][the inputs of a step]. A thread then takes a chunk of outputs and goes along the
// inputs in blocks of kBlockSteps; for each it takes the weights of kTileOutputs outputs, copied if they must
// be widened, which stay in the first-level cache, and runs them past all rows. The unfinished sums (sixteen
// lanes each) wait in the thread's scratch between blocks of inputs, so the order of addition is that of an
// uninterrupted sum.
#pragma once

#include <type_traits>

#include "cpu/ops/ahead.h"
#include "cpu/ops/bfloat16_rounding.h"
#include "cpu/ops/linear_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int64_t kBlockRows = 128;
constexpr int64_t kBlockSteps = 32;
constexpr int64_t kStepBytes = 64;
constexpr int64_t kChunkPanels = 8;

template <class X>
struct BlockedLinear {
  float* out;
  const X* packedRows;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;
  int64_t steps() const { return (inFeatures + kStepInputs<X> - 1) / kStepInputs<X>; }
};

PERSIMMON_INLINE int64_t panelsOf(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

PERSIMMON_INLINE void packStep(float* target, const float* x, int64_t left) {
  store(target, left > 0 ? loadUpTo(x, left) : zero());
}
PERSIMMON_INLINE void packStep(BFloat16* target, const float* x, int64_t left) {
  constexpr int64_t kInputs = kStepInputs<BFloat16>;
  const int64_t n = left < 0 ? 0 : left < kInputs ? left : kInputs;
  roundRow(&target->bits, x, n);
  for (int64_t i = n; i < kInputs; ++i) target[i] = {0};
}

/** Packs panel `panel` of x; rows and inputs past the end become zeros. */
template <class X>
void packRows(X* packed, const float* x, int64_t panel, int64_t rows, int64_t inFeatures) {
  constexpr int64_t kInputs = kStepInputs<X>;
  const int64_t steps = (inFeatures + kInputs - 1) / kInputs;
  X* target = packed + panel * steps * kTileRows * kInputs;
  for (int64_t k = 0; k < steps; ++k) {
    for (int m = 0; m < kTileRows; ++m) {
      const int64_t row = panel * kTileRows + m;
      packStep(target + (k * kTileRows + m) * kInputs, x + row * inFeatures + k * kInputs,
               row < rows ? inFeatures - k * kInputs : 0);
    }
  }
}

/** Copies inputs [begin, begin + steps) of outputs [o, o + kTileOutputs) to [step][output][inputs of a
 * step]. */
template <class X, class T>
PERSIMMON_INLINE void packWeights(X* panel, const T* weight, int64_t o, int64_t begin, int64_t steps,
                                  int64_t inFeatures, int64_t outFeatures) {
  constexpr int64_t kInputs = kStepInputs<X>;
  for (int n = 0; n < kTileOutputs; ++n) {
    X* target = panel + n * kInputs;
    if (o + n >= outFeatures) {
      for (int64_t k = 0; k < steps; ++k)
        __builtin_memset(target + k * kTileOutputs * kInputs, 0, kStepBytes);
      continue;
    }
    const T* w = weight + (o + n) * inFeatures + begin;
    const int64_t whole = (inFeatures - begin) / kInputs < steps ? (inFeatures - begin) / kInputs : steps;
    for (int64_t k = 0; k < whole; ++k) {
      store(target + k * kTileOutputs * kInputs, Step<X>::load(w + k * kInputs));
    }
    if (whole < steps) {
      store(
          target + whole * kTileOutputs * kInputs,
          Step<X>::loadPartial(w + whole * kInputs, static_cast<int>(inFeatures - begin - whole * kInputs)));
    }
  }
}

/** The weights that a panel of outputs `o` will want over so many inputs. */
template <class T>
PERSIMMON_INLINE Ahead weightsAhead(const T* weight, int64_t o, int64_t begin, int64_t inputs,
                                    int64_t inFeatures, int64_t outFeatures) {
  constexpr int64_t kBytes = static_cast<int64_t>(sizeof(T));
  const int64_t outputs = outFeatures - o < kTileOutputs ? outFeatures - o : kTileOutputs;
  const int64_t left = inFeatures - begin < inputs ? inFeatures - begin : inputs;
  return {reinterpret_cast<const uint8_t*>(weight + o * inFeatures + begin), inFeatures * kBytes,
          left > 0 ? outputs : 0, (left * kBytes + 63) / 64};
}

/** Where a tile finds the weights of its outputs. */
template <class X>
struct WeightPanel {
  const X* weights;
  int64_t output, step;  // numbers from one output, and from one step, to the next
};

/** One tile of M rows over one block of inputs; `waiting` holds its sums before and after. Fetches so many
 * lines in each step. */
template <int M, class X>
PERSIMMON_INLINE void runTile(const BlockedLinear<X>& problem, float* waiting, const X* x,
                              WeightPanel<X> panel, int64_t steps, bool first, bool last, int64_t row,
                              int64_t o, Ahead& ahead, int64_t fetched) {
  constexpr int64_t kInputs = kStepInputs<X>;
  Vec sums[M][kTileOutputs];
  if (first) {
    zeroSums(sums);
  } else {
    PERSIMMON_UNROLL
    for (int m = 0; m < M; ++m) {
      PERSIMMON_UNROLL
      for (int n = 0; n < kTileOutputs; ++n) sums[m][n] = load(waiting + (m * kTileOutputs + n) * kLanes);
    }
  }
  for (int64_t k = 0; k < steps; ++k) {
    ahead.fetch(fetched);
    addProducts(sums, x + k * kTileRows * kInputs, kInputs, 0, panel.weights + k * panel.step, panel.output,
                0, 1);
  }
  if (last) {
    const int64_t left = problem.outFeatures - o;
    storeSums(sums, problem.out + row * problem.outFeatures + o, problem.outFeatures, problem.bias, o,
              left < kTileOutputs ? static_cast<int>(left) : kTileOutputs);
  } else {
    PERSIMMON_UNROLL
    for (int m = 0; m < M; ++m) {
      PERSIMMON_UNROLL
      for (int n = 0; n < kTileOutputs; ++n) store(waiting + (m * kTileOutputs + n) * kLanes, sums[m][n]);
    }
  }
}

/** Bytes of scratch that a thread needs: a panel of weights, and the waiting sums of a chunk. */
PERSIMMON_INLINE int64_t blockedScratch(int64_t rows) {
  const int64_t sums = kChunkPanels * panelsOf(rows) * kTileRows * kTileOutputs * kLanes;
  return kBlockSteps * kTileOutputs * kStepBytes + sums * static_cast<int64_t>(sizeof(float));
}

/** Inputs [begin, begin + steps) of outputs [o, o + kTileOutputs): as they are stored, if a tile can take
 * them so, or copied to `copy`. */
template <class X, class T>
PERSIMMON_INLINE WeightPanel<X> weightPanel(X* copy, const T* weight, int64_t o, int64_t begin, int64_t steps,
                                            int64_t inFeatures, int64_t outFeatures) {
  constexpr int64_t kInputs = kStepInputs<X>;
  if constexpr (std::is_same_v<X, T>) {
    if (o + kTileOutputs <= outFeatures && begin + steps * kInputs <= inFeatures) {
      return {weight + o * inFeatures + begin, inFeatures, kInputs};
    }
  }
  packWeights(copy, weight, o, begin, steps, inFeatures, outFeatures);
  return {copy, kInputs, kTileOutputs * kInputs};
}

/** All rows of the problem times panels [begin, end) of outputs, at most kChunkPanels of them. */
template <class X, class T>
void runChunk(const BlockedLinear<X>& problem, unsigned char* scratch, const T* weight, int64_t begin,
              int64_t end) {
  constexpr int64_t kInputs = kStepInputs<X>;
  const int64_t steps = problem.steps(), inFeatures = problem.inFeatures, outFeatures = problem.outFeatures;
  const int64_t panels = panelsOf(problem.rows), tileFloats = kTileRows * kTileOutputs * kLanes;
  auto* copy = reinterpret_cast<X*>(scratch);
  auto* waiting = reinterpret_cast<float*>(scratch + kBlockSteps * kTileOutputs * kStepBytes);
  for (int64_t k = 0; k < steps; k += kBlockSteps) {
    const int64_t n = steps - k < kBlockSteps ? steps - k : kBlockSteps;
    const bool first = k == 0, last = k + n == steps;
    for (int64_t p = begin; p < end; ++p) {
      const int64_t o = p * kTileOutputs;
      const WeightPanel<X> weights = weightPanel(copy, weight, o, k * kInputs, n, inFeatures, outFeatures);
      // The next panel comes from memory while this one is in work.
      const bool lastPanel = p + 1 == end;
      Ahead ahead = weightsAhead(weight, (lastPanel ? begin : p + 1) * kTileOutputs,
                                 (lastPanel ? k + n : k) * kInputs, n * kInputs, inFeatures, outFeatures);
      const int64_t fetched = (ahead.rows * ahead.lines + panels * n - 1) / (panels * n);
      for (int64_t panel = 0; panel < panels; ++panel) {
        const X* x = problem.packedRows + (panel * steps + k) * kTileRows * kInputs;
        float* sums = waiting + ((p - begin) * panels + panel) * tileFloats;
        const int64_t row = panel * kTileRows, left = problem.rows - row;
        if (left >= kTileRows) {
          runTile<kTileRows>(problem, sums, x, weights, n, first, last, row, o, ahead, fetched);
        } else if (left == 1) {
          runTile<1>(problem, sums, x, weights, n, first, last, row, o, ahead, fetched);
        } else if (left == 2) {
          runTile<2>(problem, sums, x, weights, n, first, last, row, o, ahead, fetched);
        } else {
          runTile<3>(problem, sums, x, weights, n, first, last, row, o, ahead, fetched);
        }
      }
    }
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
