// The logistic function, shared by sigmoid, silu and the approximate gelu.
#pragma once

#include "cpu/simd/exp.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** -|x|; NaN for NaN. */
PERSIMMON_INLINE Vec negativeMagnitude(Vec x) { return selectLess(x, zero(), x, zero() - x); }

/** 1 / (1 + exp(-x)), by the exponential of -|x|, which cannot overflow. */
PERSIMMON_INLINE Vec sigmoidOf(Vec x) {
  const Vec one = broadcast(1.0f);
  const Vec e = expNonPositive(negativeMagnitude(x));
  return selectLess(x, zero(), e, one) / (one + e);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
