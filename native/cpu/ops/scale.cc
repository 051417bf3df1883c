// Multiplication by a number. 8 bytes per element: a read and a write.
#include "cpu/ops/elementwise.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void scale(ThreadPool& pool, float* out, const float* x, float factor, int64_t count) {
  const Vec times = broadcast(factor);
  elementwise(pool, out, x, x, count, [=](Vec a, Vec) { return a * times; });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
