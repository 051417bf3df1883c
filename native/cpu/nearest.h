// What rounding weights needs of each number, without library calls and branches, so that compilers take
// several numbers side by side.
#pragma once

#include <cstdint>
#include <cstring>

namespace persimmon::cpu {

inline int32_t bitsOf(float value) {
  int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

/** The magnitude of a finite number, in an order that whole numbers have, too. */
inline int32_t magnitudeOf(float value) { return bitsOf(value) & 0x7fffffff; }

/** The nearest whole number, the even one of two; of magnitudes below 2^22. Adding 1.5 * 2^23 leaves it in
 * the lowest bits. */
inline int32_t nearestWhole(float value) {
  constexpr float kRounder = 12582912.0f;
  return bitsOf(value + kRounder) - bitsOf(kRounder);
}

}  // namespace persimmon::cpu
