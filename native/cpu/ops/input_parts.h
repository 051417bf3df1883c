// Sums along the inputs of weights that are stored by input are taken in parts: a part is one chain of fused
// multiply-adds, and the sums of the parts are added in order. Threads take parts, not columns, so that each
// reads whole rows of the weights: two threads that read halves of rows of 8 KB, as two columns of pieces,
// got 18 to 27 GB/s from a Zen 5 server that gave them 42 to 51 GB/s when each read whole rows.
#pragma once

#include <algorithm>

#include "core/thread_pool.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// How a sum is cut depends on the number of inputs only, so every number of rows and of threads gives the
// same bits. A part is a multiple of the groups of int4.
constexpr int64_t kMostParts = 16, kLeastPart = 256;

inline int64_t partInputs(int64_t inFeatures) {
  const int64_t share = (inFeatures + kMostParts - 1) / kMostParts;
  return std::max<int64_t>((share + kLeastPart - 1) / kLeastPart, 1) * kLeastPart;
}
inline int64_t partsOf(int64_t inFeatures) {
  const int64_t inputs = partInputs(inFeatures);
  return std::max<int64_t>((inFeatures + inputs - 1) / inputs, 1);
}

/** Outputs that a thread takes together, in whole lines. */
constexpr int64_t kPieceOutputs = 4096;

/** The parts of the inputs as pieces of work: outputs in units of some columns, whole rows of them unless
 * there are more threads than parts or rows are longer than `mostUnits`. The last parts come in halves, so
 * that the threads finish together (16384 x 4096 in int8 with a tenth live, two threads: 0.17 ms instead of
 * 0.19). */
struct PartPieces {
  int64_t parts, units, mostUnits, cuts, halved;

  static PartPieces of(int64_t parts, int64_t units, int64_t mostUnits, int threads, bool alone) {
    const int64_t wanted = alone ? 1 : (threads + parts - 1) / parts;
    const int64_t most = std::max<int64_t>(std::min(mostUnits, (units + wanted - 1) / wanted), 1);
    const int64_t halved = alone || most < 2 ? 0 : std::min<int64_t>(threads, parts);
    return {parts, units, most, (units + most - 1) / most, halved};
  }
  int64_t count() const { return (parts + halved) * cuts; }
  /** f(part, unit, units) for a piece, if it has any. */
  template <class F>
  void at(int64_t piece, const F& f) const {
    const int64_t whole = (parts - halved) * cuts, half = (mostUnits + 1) / 2;
    if (piece < whole) {
      const int64_t unit = piece % cuts * mostUnits;
      f(piece / cuts, unit, std::min(mostUnits, units - unit));
      return;
    }
    const int64_t i = piece - whole, cut = i / 2 % cuts, first = cut * mostUnits + i % 2 * half;
    const int64_t end = std::min((cut + 1) * mostUnits, units);
    if (first < end) f(parts - halved + i / (2 * cuts), first, std::min(half, end - first));
  }
};

/** The sums of all parts: [part][row][output]. */
struct PartialSums {
  float* sums;
  int64_t parts, rows, outFeatures;

  static int64_t floats(int64_t parts, int64_t rows, int64_t outFeatures) {
    return parts * rows * outFeatures;
  }
  PERSIMMON_INLINE float* at(int64_t part, int64_t row) const {
    return sums + (part * rows + row) * outFeatures;
  }
  /** Outputs [column, column + sixteen) of a row, added in the order of parts. */
  PERSIMMON_INLINE Vec total(int64_t row, int64_t column) const {
    const int64_t left = outFeatures - column;
    Vec sum = loadUpTo(at(0, row) + column, left);
    for (int64_t part = 1; part < parts; ++part) sum = sum + loadUpTo(at(part, row) + column, left);
    return sum;
  }
};

}  // namespace persimmon::cpu::PERSIMMON_ISA
