// LayerNorm of one row, shared by layerNorm and fusedAttention.
#pragma once

#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Sum of f(vector of 16 elements, elements in it) over a row, in four interleaved sums. */
template <class F>
PERSIMMON_INLINE float sumOverRow(int64_t width, F&& f) {
  Vec sum[4] = {zero(), zero(), zero(), zero()};
  int64_t i = 0;
  for (; i + 4 * kLanes <= width; i += 4 * kLanes) {
    for (int part = 0; part < 4; ++part) sum[part] = sum[part] + f(i + part * kLanes, int64_t{kLanes});
  }
  for (; i < width; i += kLanes) sum[0] = sum[0] + f(i, width - i);
  return reduceAdd((sum[0] + sum[1]) + (sum[2] + sum[3]));
}

/** The mean first and then the squared differences, so that nothing cancels. `out` may be `x`. */
PERSIMMON_INLINE void layerNormRow(float* out, const float* x, Weight weight, Weight bias, int64_t width,
                                   float epsilon) {
  const float mean =
      sumOverRow(width, [&](int64_t i, int64_t n) { return loadUpTo(x + i, n); }) / static_cast<float>(width);
  const Vec center = broadcast(mean);
  const float squares = sumOverRow(width, [&](int64_t i, int64_t n) {
    // Lanes past the end would hold -mean: a partial load of the difference needs them zeroed.
    if (n >= kLanes) {
      const Vec d = load(x + i) - center;
      return d * d;
    }
    float difference[kLanes] = {};
    storePartial(difference, loadPartial(x + i, static_cast<int>(n)) - center, static_cast<int>(n));
    const Vec d = load(difference);
    return d * d;
  });
  const float scale = 1.0f / __builtin_sqrtf(squares / static_cast<float>(width) + epsilon);
  for (int64_t i = 0; i < width; i += kLanes) {
    const int64_t n = width - i;
    Vec y = (loadUpTo(x + i, n) - center) * broadcast(scale);
    if (weight.data != nullptr) y = y * loadWeight(weight, i, n);
    if (bias.data != nullptr) y = y + loadWeight(bias, i, n);
    storeUpTo(out + i, y, n);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
