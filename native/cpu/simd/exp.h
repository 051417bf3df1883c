// exp for softmax: arguments at or below zero.
#pragma once

#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/**
 * exp(x) for x <= 0; 0 below ln(2^-126) = -87.34, NaN for NaN. Largest error over one in 97 of all floats of
 * that range: 0.99 ulp, also without a fused multiply-add. softmax_test.cc bounds what comes of it in
 * softmax. x = n ln 2 + r with |r| <= ln(2) / 2, and exp(r) is the polynomial of the Cephes library.
 */
PERSIMMON_INLINE Vec expNonPositive(Vec x) {
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the sum.
  const Vec magic = broadcast(12582912.0f);
  const Vec shifted = fma(x, broadcast(1.44269504088896341f), magic);
  const Vec n = shifted - magic;
  // ln 2 in two parts; the first has 9 bits, so n times it is exact.
  Vec r = fma(n, broadcast(-0.693359375f), x);
  r = fma(n, broadcast(2.12194440e-4f), r);
  Vec p = broadcast(1.9875691500e-4f);
  p = fma(p, r, broadcast(1.3981999507e-3f));
  p = fma(p, r, broadcast(8.3334519073e-3f));
  p = fma(p, r, broadcast(4.1665795894e-2f));
  p = fma(p, r, broadcast(1.6666665459e-1f));
  p = fma(p, r, broadcast(5.0000001201e-1f));
  p = fma(p, r * r, r) + broadcast(1.0f);
  return selectLess(x, broadcast(-87.3365448f), zero(), p * shiftToExponent(shifted, 127));
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
