// The tile registers of Intel AMX as the products of bfloat16 weights use them.
//
// A product of tiles adds, to the sums of 16 outputs for up to 16 rows of activations (a panel), the products
// of 32 inputs. For each sum two chains of fused multiply-adds are taken that begin at zero, over the even
// and over the odd inputs; both are added, and the result is added to the sum (TDPBF16PS in Intel's
// Architecture Instruction Set Extensions manual, chapter on AMX). Subnormal numbers count as zero.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

constexpr int64_t kTile = 16;         // outputs of a tile, and the most rows of a panel
constexpr int64_t kStep = 32;         // inputs of a tile
constexpr int64_t kTileBytes = 1024;  // of weights
constexpr int64_t kSums = kTile * kTile;
constexpr int kParts = 3;  // of an activation, see split_rows.h

/** Of this thread, until _tile_release: rows, and columns of four bytes, of each tile. */
inline void loadTileConfiguration(const int64_t (&rows)[8], const int64_t (&columns)[8]) {
  struct alignas(64) {
    uint8_t palette = 1, startRow = 0, reserved[14] = {};
    uint16_t columnBytes[16] = {};
    uint8_t rows[16] = {};
  } config;
  for (int i = 0; i < 8; ++i) {
    config.rows[i] = static_cast<uint8_t>(rows[i]);
    config.columnBytes[i] = static_cast<uint16_t>(4 * columns[i]);
  }
  // GCC takes _tile_loadconfig to read no more than a pointer, and would leave out the stores to the rest.
  asm volatile("" : : "r"(&config) : "memory");
  _tile_loadconfig(&config);
}

/**
 * For up to two tiles of outputs (weights in tiles 4 and 5) and two panels of activations (6 and 7) of `rows`
 * and `secondRows` rows: sums in 0 (first outputs, first panel), 1 (first, second), 2 (second, first) and 3.
 */
inline void configureTiles(int64_t rows, int64_t secondRows) {
  loadTileConfiguration({kTile, kTile, kTile, kTile, kTile, kTile, kTile, kTile},
                        {rows, secondRows, rows, secondRows, kTile, kTile, rows, secondRows});
}

/** One or two panels of activations, each [step][part][pair of inputs][rows][2] (stream_by_input.h:
 * [step][part][rows][32]). */
struct Panels {
  const uint16_t* parts[2];
  int64_t rows[2];

  PERSIMMON_INLINE const uint16_t* at(int panel, int64_t step, int part) const {
    return parts[panel] + (step * kParts + part) * kStep * rows[panel];
  }
};

}  // namespace persimmon::cpu::PERSIMMON_ISA
