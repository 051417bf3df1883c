// linear for many rows: the matrix product proper.
//
// Blocking. Up to kBlockRows rows are packed once, so that a tile reads its rows as one stream: [panel of
// kTileRows rows][sixteen inputs][row][lane]. A thread then takes a chunk of outputs and goes along the
// inputs in blocks of kBlockInputs; for each it widens the weights of kTileOutputs outputs into a panel that
// stays in the first-level cache, and runs it past all rows. The unfinished sums (sixteen lanes each) wait in
// the thread's scratch between blocks of inputs, so the order of addition is that of an uninterrupted sum.
#pragma once

#include "cpu/ops/linear_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int64_t kBlockRows = 128;
constexpr int64_t kBlockInputs = 1024;
constexpr int64_t kChunkPanels = 4;

struct BlockedLinear {
  float* out;
  const float* packedRows;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;
  int64_t vectors() const { return (inFeatures + kLanes - 1) / kLanes; }
};

PERSIMMON_INLINE int64_t panelsOf(int64_t rows) { return (rows + kTileRows - 1) / kTileRows; }

/** Packs panel `panel` of x; rows and inputs past the end become zeros. */
inline void packRows(float* packed, const float* x, int64_t panel, int64_t rows, int64_t inFeatures) {
  const int64_t vectors = (inFeatures + kLanes - 1) / kLanes;
  float* target = packed + panel * vectors * kTileRows * kLanes;
  for (int64_t k = 0; k < vectors; ++k) {
    for (int m = 0; m < kTileRows; ++m) {
      const int64_t row = panel * kTileRows + m;
      const Vec a =
          row < rows ? loadUpTo(x + row * inFeatures + k * kLanes, inFeatures - k * kLanes) : zero();
      store(target + (k * kTileRows + m) * kLanes, a);
    }
  }
}

/** Widens inputs [begin, begin + 16 * vectors) of outputs [o, o + kTileOutputs) into [sixteen
 * inputs][output][lane]. */
template <class T>
PERSIMMON_INLINE void packWeights(float* panel, const T* weight, int64_t o, int64_t begin, int64_t vectors,
                                  int64_t inFeatures, int64_t outFeatures) {
  for (int n = 0; n < kTileOutputs; ++n) {
    float* target = panel + n * kLanes;
    if (o + n >= outFeatures) {
      for (int64_t k = 0; k < vectors; ++k) store(target + k * kTileOutputs * kLanes, zero());
      continue;
    }
    const T* w = weight + (o + n) * inFeatures + begin;
    const int64_t whole = (inFeatures - begin) / kLanes < vectors ? (inFeatures - begin) / kLanes : vectors;
    for (int64_t k = 0; k < whole; ++k) store(target + k * kTileOutputs * kLanes, load(w + k * kLanes));
    if (whole < vectors) {
      store(target + whole * kTileOutputs * kLanes,
            loadPartial(w + whole * kLanes, static_cast<int>(inFeatures - begin - whole * kLanes)));
    }
  }
}

/** Part `part` of `parts` of the weights that packWeights(..., o, begin, vectors) will read, into the second
 * level. */
template <class T>
PERSIMMON_INLINE void fetchWeights(const T* weight, int64_t o, int64_t begin, int64_t vectors,
                                   int64_t inFeatures, int64_t outFeatures, int64_t part, int64_t parts) {
  const int64_t lines = (vectors * kLanes * static_cast<int64_t>(sizeof(T)) + 63) / 64;
  const int64_t outputs = outFeatures - o < kTileOutputs ? outFeatures - o : kTileOutputs;
  const int64_t end = (part + 1) * lines * outputs / parts;
  for (int64_t i = part * lines * outputs / parts; i < end; ++i) {
    const T* row = weight + (o + i / lines) * inFeatures + begin;
    __builtin_prefetch(reinterpret_cast<const unsigned char*>(row) + i % lines * 64, 0, 2);
  }
}

/** One tile of M rows over one block of inputs; `waiting` holds its sums before and after. */
template <int M>
PERSIMMON_INLINE void runTile(const BlockedLinear& problem, float* waiting, const float* x,
                              const float* weights, int64_t vectors, bool first, bool last, int64_t row,
                              int64_t o) {
  Vec sums[M][kTileOutputs];
  if (first) {
    zeroSums(sums);
  } else {
    for (int m = 0; m < M; ++m) {
      for (int n = 0; n < kTileOutputs; ++n) sums[m][n] = load(waiting + (m * kTileOutputs + n) * kLanes);
    }
  }
  addProducts(sums, x, kLanes, kTileRows * kLanes, weights, kLanes, kTileOutputs * kLanes, vectors);
  if (last) {
    const int64_t left = problem.outFeatures - o;
    storeSums(sums, problem.out + row * problem.outFeatures + o, problem.outFeatures, problem.bias, o,
              left < kTileOutputs ? static_cast<int>(left) : kTileOutputs);
  } else {
    for (int m = 0; m < M; ++m) {
      for (int n = 0; n < kTileOutputs; ++n) store(waiting + (m * kTileOutputs + n) * kLanes, sums[m][n]);
    }
  }
}

/** Floats of scratch that a thread needs: a panel of weights, and the waiting sums of a chunk. */
PERSIMMON_INLINE int64_t blockedScratch(int64_t rows) {
  return kBlockInputs * kTileOutputs + kChunkPanels * panelsOf(rows) * kTileRows * kTileOutputs * kLanes;
}

/** All rows of the problem times the outputs of one chunk (kChunkPanels * kTileOutputs of them). */
template <class T>
void runChunk(const BlockedLinear& problem, float* scratch, const T* weight, int64_t chunk) {
  const int64_t vectors = problem.vectors(), blockVectors = kBlockInputs / kLanes;
  const int64_t panels = panelsOf(problem.rows), tileFloats = kTileRows * kTileOutputs * kLanes;
  float* waiting = scratch + kBlockInputs * kTileOutputs;
  for (int64_t k = 0; k < vectors; k += blockVectors) {
    const int64_t n = vectors - k < blockVectors ? vectors - k : blockVectors;
    const bool first = k == 0, last = k + n == vectors;
    for (int64_t p = 0; p < kChunkPanels; ++p) {
      const int64_t o = (chunk * kChunkPanels + p) * kTileOutputs;
      if (o >= problem.outFeatures) break;
      packWeights(scratch, weight, o, k * kLanes, n, problem.inFeatures, problem.outFeatures);
      // The weights of the next panel come from memory while this one is in work.
      const bool lastPanel = p + 1 == kChunkPanels || o + kTileOutputs >= problem.outFeatures;
      const int64_t nextOutput = lastPanel ? chunk * kChunkPanels * kTileOutputs : o + kTileOutputs;
      const int64_t nextInput = lastPanel ? (k + n) * kLanes : k * kLanes;
      for (int64_t panel = 0; panel < panels; ++panel) {
        if (nextInput < problem.inFeatures) {
          fetchWeights(weight, nextOutput, nextInput, n, problem.inFeatures, problem.outFeatures, panel,
                       panels);
        }
        const float* x = problem.packedRows + (panel * vectors + k) * kTileRows * kLanes;
        float* sums = waiting + (p * panels + panel) * tileFloats;
        const int64_t row = panel * kTileRows, left = problem.rows - row;
        if (left >= kTileRows) {
          runTile<kTileRows>(problem, sums, x, scratch, n, first, last, row, o);
        } else if (left == 1) {
          runTile<1>(problem, sums, x, scratch, n, first, last, row, o);
        } else if (left == 2) {
          runTile<2>(problem, sums, x, scratch, n, first, last, row, o);
        } else {
          runTile<3>(problem, sums, x, scratch, n, first, last, row, o);
        }
      }
    }
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
