// Runs a templated function on the element type of a weight.
#pragma once

#include "cpu/ops.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** f(const float*) or f(const BFloat16*). */
template <class F>
PERSIMMON_INLINE void withWeight(Weight weight, F&& f) {
  if (weight.dtype == DType::kBFloat16) {
    f(static_cast<const BFloat16*>(weight.data));
  } else {
    f(static_cast<const float*>(weight.data));
  }
}

/** Element i of a weight that may be absent. */
PERSIMMON_INLINE float elementOrZero(Weight weight, int64_t i) {
  if (weight.data == nullptr) return 0.0f;
  return weight.dtype == DType::kBFloat16 ? loadScalar(static_cast<const BFloat16*>(weight.data) + i)
                                          : loadScalar(static_cast<const float*>(weight.data) + i);
}

/** Elements i..i+15 (fewer where n says so) of a weight. */
PERSIMMON_INLINE Vec loadWeight(Weight weight, int64_t i, int64_t n) {
  return weight.dtype == DType::kBFloat16 ? loadUpTo(static_cast<const BFloat16*>(weight.data) + i, n)
                                          : loadUpTo(static_cast<const float*>(weight.data) + i, n);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
