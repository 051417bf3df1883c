// A pure read, the yardstick for everything else: two streams of 16-lane integer loads with no arithmetic to
// speak of.
#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

uint32_t readBytes(const void* data, size_t bytes) {
  typedef uint32_t UInt16Lanes __attribute__((vector_size(64)));
  const auto* p = static_cast<const unsigned char*>(data);
  UInt16Lanes any[4] = {};
  size_t i = 0;
  for (; i + sizeof any <= bytes; i += sizeof any) {
    UInt16Lanes loaded[4];
    __builtin_memcpy(loaded, p + i, sizeof loaded);
    for (int part = 0; part < 4; ++part) any[part] |= loaded[part];
  }
  uint32_t result = 0;
  for (; i < bytes; ++i) result |= p[i];
  const UInt16Lanes all = (any[0] | any[1]) | (any[2] | any[3]);
  for (int lane = 0; lane < 16; ++lane) result |= all[lane];
  return result;
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
