// The operations of one instruction set. Every file of native/cpu/ops defines some of them in namespace
// persimmon::cpu::PERSIMMON_ISA, and is compiled once per instruction set (see CMakeLists.txt).
#pragma once

#include "cpu/internal.h"
#include "cpu/ops.h"

// Every operation that has a version per instruction set.
#define PERSIMMON_CPU_OPS(X) \
  X(embedding)               \
  X(linear)                  \
  X(linearByInput)           \
  X(linearWhere)             \
  X(layerNorm)               \
  X(reluSquared)             \
  X(add)                     \
  X(sub)                     \
  X(mul)                     \
  X(addBroadcast)            \
  X(subBroadcast)            \
  X(mulBroadcast)            \
  X(scale)                   \
  X(relu)                    \
  X(gelu)                    \
  X(geluTanh)                \
  X(silu)                    \
  X(sigmoid)                 \
  X(tanh)                    \
  X(rmsNorm)                 \
  X(matmul)                  \
  X(attention)               \
  X(softmax)                 \
  X(logSoftmax)              \
  X(argmax)                  \
  X(gatherLogProbability)    \
  X(convertToFloat32)        \
  X(convertToBFloat16)       \
  X(fusedAttention)          \
  X(splitHeads)              \
  X(rotary)                  \
  X(cacheAppend)             \
  X(attentionPattern)        \
  X(attentionValues)         \
  X(readBytes)               \
  X(expWeights)

namespace persimmon::cpu {

/** One pointer per operation, of the type of the public function of that name. */
struct OpTable {
#define PERSIMMON_CPU_MEMBER(name) decltype(&cpu::name) name;
  PERSIMMON_CPU_OPS(PERSIMMON_CPU_MEMBER)
#undef PERSIMMON_CPU_MEMBER
};

#define PERSIMMON_CPU_DECLARE(name) decltype(cpu::name) name;

namespace portable {
extern const OpTable kOps;
}
#if defined(PERSIMMON_X86_64)
namespace avx2 {
extern const OpTable kOps;
}
namespace avx512 {
extern const OpTable kOps;
}
namespace avx512_bf16 {
extern const OpTable kOps;
}
#if defined(PERSIMMON_AMX)
namespace avx512_amx {
// The others are those of avx512_bf16.
decltype(cpu::linear) linear;
decltype(cpu::linearByInput) linearByInput;
}  // namespace avx512_amx
#endif
#endif

#if defined(PERSIMMON_ISA)
namespace PERSIMMON_ISA {
extern const OpTable kOps;
PERSIMMON_CPU_OPS(PERSIMMON_CPU_DECLARE)
}  // namespace PERSIMMON_ISA
#endif

#undef PERSIMMON_CPU_DECLARE

}  // namespace persimmon::cpu
