// The operations of this instruction set, for dispatch.cc.
#include "cpu/isa.h"

namespace persimmon::cpu::PERSIMMON_ISA {

const OpTable kOps = {
#define PERSIMMON_CPU_ENTRY(name) &name,
    PERSIMMON_CPU_OPS(PERSIMMON_CPU_ENTRY)
#undef PERSIMMON_CPU_ENTRY
};

}  // namespace persimmon::cpu::PERSIMMON_ISA
