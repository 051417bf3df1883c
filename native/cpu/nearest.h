// What rounding weights needs of each number, without library calls and branches, so that compilers take
// several numbers side by side.
#pragma once

#include <bit>
#include <cstdint>

namespace persimmon::cpu {

/** The magnitude of a finite number, in an order that whole numbers have, too. */
inline int32_t magnitudeOf(float value) { return std::bit_cast<int32_t>(value) & 0x7fffffff; }

/** The nearest whole number, the even one of two; of magnitudes below 2^22. Adding 1.5 * 2^23 leaves it in
 * the lowest bits. */
inline int32_t nearestWhole(float value) {
  constexpr float kRounder = 12582912.0f;
  return std::bit_cast<int32_t>(value + kRounder) - std::bit_cast<int32_t>(kRounder);
}

}  // namespace persimmon::cpu
