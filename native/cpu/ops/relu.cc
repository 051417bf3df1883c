// ReLU: max(x, 0). 8 bytes per element: a read and a write.
#include "cpu/ops/elementwise.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void relu(ThreadPool& pool, float* out, const float* x, int64_t count) {
  // Comparing "below zero" keeps NaN, which max() would drop.
  elementwise(pool, out, x, x, count, [](Vec a, Vec) { return selectLess(a, zero(), zero(), a); });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
