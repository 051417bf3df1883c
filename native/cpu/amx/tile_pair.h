// The product of up to two tiles of outputs with up to two panels of activations, for stream.h and blocks.h.
#pragma once

#include "cpu/amx/tiles.h"
#include "cpu/ops/ahead.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** One or two tiles of outputs, whose 16 rows of weights lie `rowBytes` apart and 32 inputs `stepBytes`, and
 * their sums with each panel, [16 outputs][rows]. */
struct TilePair {
  const uint8_t* weights[2];
  int64_t rowBytes, stepBytes;
  float* sums[2][2];  // of outputs and panels
};

/** Adds `steps` times 32 inputs, the smallest parts first, and fetches so many lines in each step; sums are
 * zero before the `first`. */
template <int Outputs, int Count>
PERSIMMON_INLINE void addSteps(const TilePair& pair, const Panels& panels, int64_t steps, bool first,
                               Ahead& ahead, int64_t fetched) {
  const int64_t stride = panels.rows[0] * 4, secondStride = panels.rows[1] * 4;
  if (first) {
    _tile_zero(0);
    if constexpr (Count > 1) _tile_zero(1);
    if constexpr (Outputs > 1) _tile_zero(2);
    if constexpr (Outputs > 1 && Count > 1) _tile_zero(3);
  } else {
    _tile_loadd(0, pair.sums[0][0], stride);
    if constexpr (Count > 1) _tile_loadd(1, pair.sums[0][1], secondStride);
    if constexpr (Outputs > 1) _tile_loadd(2, pair.sums[1][0], stride);
    if constexpr (Outputs > 1 && Count > 1) _tile_loadd(3, pair.sums[1][1], secondStride);
  }
  for (int64_t step = 0; step < steps; ++step) {
    ahead.fetch(fetched);
    _tile_loadd(4, pair.weights[0] + step * pair.stepBytes, pair.rowBytes);
    if constexpr (Outputs > 1) _tile_loadd(5, pair.weights[1] + step * pair.stepBytes, pair.rowBytes);
    for (int part = kParts - 1; part >= 0; --part) {
      _tile_loadd(6, panels.at(0, step, part), stride);
      _tile_dpbf16ps(0, 4, 6);
      if constexpr (Outputs > 1) _tile_dpbf16ps(2, 5, 6);
      if constexpr (Count > 1) {
        _tile_loadd(7, panels.at(1, step, part), secondStride);
        _tile_dpbf16ps(1, 4, 7);
        if constexpr (Outputs > 1) _tile_dpbf16ps(3, 5, 7);
      }
    }
  }
  _tile_stored(0, pair.sums[0][0], stride);
  if constexpr (Count > 1) _tile_stored(1, pair.sums[0][1], secondStride);
  if constexpr (Outputs > 1) _tile_stored(2, pair.sums[1][0], stride);
  if constexpr (Outputs > 1 && Count > 1) _tile_stored(3, pair.sums[1][1], secondStride);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
