// Memory that will be wanted soon.
#pragma once

#include <cstdint>

#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Lines of memory to fetch into the second-level cache, row by row. */
struct Ahead {
  const uint8_t* row;
  int64_t rowBytes, rows, lines;
  int64_t line = 0;

  PERSIMMON_INLINE void fetch(int64_t count) {
    for (; count > 0 && rows > 0; --count) {
      __builtin_prefetch(row + line * 64, 0, 2);
      if (++line == lines) {
        line = 0;
        row += rowBytes;
        --rows;
      }
    }
  }
};

}  // namespace persimmon::cpu::PERSIMMON_ISA
