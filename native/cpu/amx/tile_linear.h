// A product on tiles: the rows as panels, and where the sums go.
#pragma once

#include "cpu/amx/tiles.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** 0 to 15 */
PERSIMMON_INLINE __m512i lanes() {
  return _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
}

/** Numbers in the panels of so many rows. */
PERSIMMON_INLINE int64_t panelParts(int64_t rows, int64_t inFeatures) { return kParts * rows * inFeatures; }

struct TileLinear {
  float* out;
  const uint16_t* parts;  // of all panels, one after the other
  const uint8_t* weight;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;

  int64_t panelCount() const { return (rows + kTile - 1) / kTile; }
  int64_t panelRows(int64_t panel) const {
    return panel * kTile + kTile <= rows ? kTile : rows - panel * kTile;
  }
  const uint16_t* panel(int64_t panel) const { return parts + panelParts(panel * kTile, inFeatures); }

  /** Panel `first` and the next, if there is one; else the first twice. */
  Panels panels(int64_t first) const {
    const int64_t second = first + 1 < panelCount() ? first + 1 : first;
    return {{panel(first), panel(second)}, {panelRows(first), panelRows(second)}};
  }
};

/** Elements i..i+15 of a bias, zeros where there is none. */
PERSIMMON_INLINE Vec biasAt(Weight bias, int64_t i) {
  return bias.data != nullptr ? loadWeight(bias, i, kTile) : zero();
}

/** A sum with its bias. One that was flushed to -0 counts as 0: where zeros are left out it may be either. */
PERSIMMON_INLINE Vec finished(Vec sum, Vec bias) { return (sum + zero()) + bias; }

/** sums [16 outputs][rows] of a panel and the bias to the outputs from `output` on. */
inline void finishTile(const TileLinear& problem, const float* sums, int64_t panel, int64_t output) {
  const int64_t rows = problem.panelRows(panel);
  const __m512i places = _mm512_mullo_epi32(_mm512_set1_epi32(static_cast<int>(rows)), lanes());
  const Vec bias = biasAt(problem.bias, output);
  float* out = problem.out + panel * kTile * problem.outFeatures + output;
  for (int64_t row = 0; row < rows; ++row) {
    const Vec sum = rows == 1 ? load(sums) : Vec{_mm512_i32gather_ps(places, sums + row, 4)};
    store(out + row * problem.outFeatures, finished(sum, bias));
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
