// Products of up to 32 rows with weights that are stored by input: a step of 32 inputs goes along all outputs
// of a piece, so that the weights stream from memory as they lie, and the sums wait in the second-level
// cache. Here the activations are the first factor of a product of tiles and the weights the second: the same
// products, added in the same order.
#pragma once

#include "cpu/amx/split_rows.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Sums in tiles 0 to 3 (first panel: 0 and 1), activations of two panels in 4 and 5, weights of two tiles in
 * 6 and 7. */
inline void configureRowTiles(int64_t rows, int64_t secondRows) {
  loadTileConfiguration({rows, rows, secondRows, secondRows, rows, secondRows, kTile, kTile},
                        {kTile, kTile, kTile, kTile, kTile, kTile, kTile, kTile});
}

/** Two tiles of weights: 32 inputs, `rowBytes` apart, of up to 32 outputs, to [tile][pair of
 * inputs][output][2]. */
template <int Tiles>
PERSIMMON_INLINE void pairInputs(uint8_t* target, const uint8_t* from, int64_t rowBytes) {
  for (int64_t pair = 0; pair < kTile; ++pair) {
    const uint8_t* even = from + 2 * pair * rowBytes;
    for (int tile = 0; tile < Tiles; ++tile) {
      const auto at = [&](const uint8_t* row) {
        return _mm512_cvtepu16_epi32(
            _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row + tile * kTile * 2)));
      };
      const __m512i both = _mm512_or_si512(at(even), _mm512_slli_epi32(at(even + rowBytes), 16));
      _mm512_store_si512(target + tile * kTileBytes + pair * 64, both);
    }
  }
  // The intrinsics of tiles do not say that they read memory.
  asm volatile("" : : : "memory");
}

/** One step of up to 32 outputs. activations: of each panel [part][row][32]; sums: [panel][tile][row][16],
 * zero before the `first` step. */
template <int Count, int Tiles>
PERSIMMON_INLINE void addRowStep(float* sums, const uint16_t* const (&activations)[2],
                                 const int64_t (&rows)[2], const uint8_t* weights, bool first) {
  if (first) {
    _tile_zero(0);
    if constexpr (Tiles > 1) _tile_zero(1);
    if constexpr (Count > 1) _tile_zero(2);
    if constexpr (Count > 1 && Tiles > 1) _tile_zero(3);
  } else {
    _tile_loadd(0, sums, 64);
    if constexpr (Tiles > 1) _tile_loadd(1, sums + kSums, 64);
    if constexpr (Count > 1) _tile_loadd(2, sums + 2 * kSums, 64);
    if constexpr (Count > 1 && Tiles > 1) _tile_loadd(3, sums + 3 * kSums, 64);
  }
  _tile_loadd(6, weights, 64);
  if constexpr (Tiles > 1) _tile_loadd(7, weights + kTileBytes, 64);
  for (int part = kParts - 1; part >= 0; --part) {
    _tile_loadd(4, activations[0] + part * rows[0] * kStep, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (Tiles > 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (Count > 1) {
      _tile_loadd(5, activations[1] + part * rows[1] * kStep, 64);
      _tile_dpbf16ps(2, 5, 6);
      if constexpr (Tiles > 1) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, sums, 64);
  if constexpr (Tiles > 1) _tile_stored(1, sums + kSums, 64);
  if constexpr (Count > 1) _tile_stored(2, sums + 2 * kSums, 64);
  if constexpr (Count > 1 && Tiles > 1) _tile_stored(3, sums + 3 * kSums, 64);
}

/** Panels of activations as tiles of rows: [panel][step][part][row][32]. */
inline void splitRowIntoTiles(uint16_t* panel, const float* x, int64_t row, int64_t rows,
                              int64_t inFeatures) {
  for (int64_t k = 0; k < inFeatures; k += kStep) {
    const SplitVector a = split(_mm512_loadu_ps(x + k)), b = split(_mm512_loadu_ps(x + k + 16));
    for (int part = 0; part < kParts; ++part) {
      _mm512_storeu_si512(panel + k * kParts * rows + (part * rows + row) * kStep,
                          upperHalves(a.parts[part], b.parts[part]));
    }
  }
}

template <int Count>
void streamPiece(const TileLinear& problem, float* sums, int64_t column, int64_t columns) {
  alignas(64) uint8_t paired[2 * kTileBytes];
  const Panels panels = problem.panels(0);
  const int64_t rowBytes = problem.outFeatures * 2;
  configureRowTiles(panels.rows[0], panels.rows[1]);
  for (int64_t k = 0; k < problem.inFeatures; k += kStep) {
    const uint8_t* weights = problem.weight + k * rowBytes + column * 2;
    const uint16_t* const activations[2] = {panels.parts[0] + panelParts(panels.rows[0], k),
                                            panels.parts[1] + panelParts(panels.rows[1], k)};
    for (int64_t o = 0; o < columns; o += 2 * kTile) {
      float* at = sums + o / kTile * 2 * kSums;
      if (columns - o >= 2 * kTile) {
        pairInputs<2>(paired, weights + o * 2, rowBytes);
        addRowStep<Count, 2>(at, activations, panels.rows, paired, k == 0);
      } else {
        pairInputs<1>(paired, weights + o * 2, rowBytes);
        addRowStep<Count, 1>(at, activations, panels.rows, paired, k == 0);
      }
    }
  }
  for (int64_t o = 0; o < columns; o += kTile) {
    const Vec bias = biasAt(problem.bias, column + o);
    for (int64_t row = 0; row < problem.rows; ++row) {
      const float* at = sums + o / (2 * kTile) * 4 * kSums + row / kTile * 2 * kSums + o / kTile % 2 * kSums;
      store(problem.out + row * problem.outFeatures + column + o,
            finished(load(at + row % kTile * kTile), bias));
    }
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
