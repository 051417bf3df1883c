// A pure read, the yardstick for everything else: one stream, fetched 4 KiB ahead, and a bitwise or. Without
// the fetch two threads read 42 GB/s where linear reads 46.
#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

uint32_t readBytes(const void* data, size_t bytes) {
  constexpr size_t kStep = 4 * kLanes * sizeof(float);
  const auto* p = static_cast<const unsigned char*>(data);
  Vec any[4] = {zero(), zero(), zero(), zero()};
  size_t i = 0;
  for (; i + kStep <= bytes; i += kStep) {
    for (size_t line = 0; line < kStep; line += 64) __builtin_prefetch(p + i + 4096 + line, 0, 3);
    const auto* floats = reinterpret_cast<const float*>(p + i);
    for (int part = 0; part < 4; ++part) any[part] = bitOr(any[part], load(floats + part * kLanes));
  }
  uint32_t result = 0;
  for (; i < bytes; ++i) result |= p[i];
  float lanes[kLanes];
  store(lanes, bitOr(bitOr(any[0], any[1]), bitOr(any[2], any[3])));
  for (int lane = 0; lane < kLanes; ++lane) {
    uint32_t bits;
    __builtin_memcpy(&bits, lanes + lane, sizeof bits);
    result |= bits;
  }
  return result;
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
