// Logistic function: 1 / (1 + exp(-x)). 8 bytes per element: a read and a write.
#include "cpu/ops/sigmoid.h"

#include "cpu/ops/elementwise.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void sigmoid(ThreadPool& pool, float* out, const float* x, int64_t count) {
  elementwise(pool, out, x, x, count, [](Vec a, Vec) { return sigmoidOf(a); });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
