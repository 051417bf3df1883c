// The operations of this instruction set, for dispatch.cc.
#include "cpu/isa.h"

namespace persimmon::cpu::PERSIMMON_ISA {

const OpTable& ops() {
  static const OpTable table = [] {
    OpTable made = avx512_bf16::kOps;
    made.linear = &linear;
    made.linearByInput = &linearByInput;
    return made;
  }();
  return table;
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
