// Unnormalised probabilities for sampling. 4 bytes per element read and 4 written, in cache.
#include "cpu/isa.h"
#include "cpu/ops/softmax.h"

namespace persimmon::cpu::PERSIMMON_ISA {

float expWeights(float* weights, const float* x, int64_t count, float max, float temperature,
                 float threshold) {
  const Vec shift = broadcast(max), divisor = broadcast(temperature), lowest = broadcast(threshold);
  const Vec one = broadcast(1.0f);
  Vec sum = zero();
  for (int64_t i = 0; i < count; i += kLanes) {
    const int64_t n = count - i;
    const Vec value = n >= kLanes ? load(x + i) : loadTail(x + i, n);
    // Dividing the difference, not the logits, keeps a tiny temperature from making infinities.
    Vec weight = expNonPositive((value - shift) / divisor);
    weight = selectEqual(value, shift, one, weight);
    weight = selectLess(value, lowest, zero(), weight);
    weight = selectEqual(value, value, weight, zero());
    if (n < kLanes) {
      // A row of -inf weighs its members alike, but not the lanes past its end.
      float lanes[kLanes] = {};
      storePartial(lanes, weight, static_cast<int>(n));
      weight = load(lanes);
    }
    storeUpTo(weights + i, weight, n);
    sum = sum + weight;
  }
  return reduceAdd(sum);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
