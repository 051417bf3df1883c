// A pure read, the yardstick for everything else: one stream and a bitwise or.
#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

template <bool kFetch>
uint32_t readStream(const unsigned char* p, size_t bytes) {
  constexpr size_t kStep = 4 * kLanes * sizeof(float);
  Vec any[4] = {zero(), zero(), zero(), zero()};
  size_t i = 0;
  for (; i + kStep <= bytes; i += kStep) {
    if constexpr (kFetch) {
      for (size_t line = 0; line < kStep; line += 64) __builtin_prefetch(p + i + 4096 + line, 0, 3);
    }
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

}  // namespace

uint32_t readBytes(const void* data, size_t bytes, bool fetch) {
  const auto* p = static_cast<const unsigned char*>(data);
  return fetch ? readStream<true>(p, bytes) : readStream<false>(p, bytes);
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
