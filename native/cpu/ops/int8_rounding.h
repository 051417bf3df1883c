// Rounding a row of keys or values to int8: symmetric, to nearest, to even between two, one scale for the
// row, as quantizeRows does with weights. An element is off by half a scale at most, 0.4 % of the largest.
#pragma once

#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** out[i] * (the scale that is returned) is near x[i]. A row that is not finite gets the scale NaN, so that
 * whatever it is multiplied with shows it, and a row of zeros 0. */
PERSIMMON_INLINE float roundRowToInt8(int8_t* out, const float* x, int64_t n) {
  Vec largest = zero(), unlikeZero = zero();
  for (int64_t i = 0; i < n; i += kLanes) {
    const Vec v = loadUpTo(x + i, n - i);
    largest = max(max(v, zero() - v), largest);
    unlikeZero = fma(v, zero(), unlikeZero);  // NaN where v is infinite or NaN
  }
  const bool finite = reduceAdd(unlikeZero) == 0.0f;
  float scale = reduceMax(largest) / 127.0f;
  // Also where the quotient would be subnormal: dividing by it could overflow.
  if (!(scale >= 1e-37f)) scale = 0.0f;
  const Vec divisor = broadcast(scale == 0.0f || !finite ? 1.0f : scale);
  // Adding 1.5 * 2^23 leaves the number, rounded to the nearest and even, in the lowest bits.
  const Vec magic = broadcast(12582912.0f);
  for (int64_t i = 0; i < n; i += kLanes) {
    float shifted[kLanes];
    store(shifted, loadUpTo(x + i, n - i) / divisor + magic);
    const int64_t count = n - i < kLanes ? n - i : kLanes;
    for (int64_t lane = 0; lane < count; ++lane) {
      int32_t bits;
      __builtin_memcpy(&bits, shifted + lane, sizeof bits);
      out[i + lane] = static_cast<int8_t>(bits);
    }
  }
  return finite ? scale : __builtin_nanf("");
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
