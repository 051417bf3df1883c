// Elementwise difference. 12 bytes per element: two reads and a write.
#include "cpu/ops/broadcast.h"
#include "cpu/ops/elementwise.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void sub(ThreadPool& pool, float* out, const float* a, const float* b, int64_t count) {
  elementwise(pool, out, a, b, count, [](Vec x, Vec y) { return x - y; });
}

void subBroadcast(ThreadPool& pool, float* out, Spread a, Spread b, int64_t rows, int64_t width) {
  broadcastElementwise(pool, out, a, b, rows, width, [](Vec x, Vec y) { return x - y; });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
