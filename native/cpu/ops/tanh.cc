// Hyperbolic tangent. 8 bytes per element: a read and a write.
#include "cpu/ops/elementwise.h"
#include "cpu/ops/sigmoid.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

/**
 * x + x^3 p(x^2) where |x| < 0.625, with p fitted by scripts/reference/activation_polynomials.py; elsewhere
 * 1 - 2 e / (1 + e) with e = exp(-2 |x|), which would cancel near 0.
 */
PERSIMMON_INLINE Vec tanhOf(Vec x) {
  const Vec square = x * x;
  Vec p = broadcast(-6.094537328e-03f);
  p = fma(p, square, broadcast(2.099519464e-02f));
  p = fma(p, square, broadcast(-5.385030364e-02f));
  p = fma(p, square, broadcast(1.333276283e-01f));
  p = fma(p, square, broadcast(-3.333332873e-01f));
  const Vec small = fma(x * square, p, x);
  const Vec down = negativeMagnitude(x), one = broadcast(1.0f);
  const Vec e = expNonPositive(down + down);
  const Vec magnitude = one - (e + e) / (one + e);
  const Vec large = selectLess(x, zero(), zero() - magnitude, magnitude);
  return selectLess(broadcast(-0.625f), down, small, large);
}

}  // namespace

void tanh(ThreadPool& pool, float* out, const float* x, int64_t count) {
  elementwise(pool, out, x, x, count, [](Vec a, Vec) { return tanhOf(a); });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
