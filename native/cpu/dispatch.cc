// Chooses the instruction set, once, and forwards the public operations to it.
#include <chrono>
#include <cstdlib>
#include <cstring>

#if defined(PERSIMMON_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "cpu/isa.h"

namespace persimmon::cpu {

namespace {

#if defined(PERSIMMON_AMX)
/** Whether there are tile registers for bfloat16, and Linux lets this process use them. */
bool amxUsable() {
  unsigned a, b, c, d;
  constexpr unsigned kBFloat16Tiles = 1u << 22, kTiles = 1u << 24;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0 || (d & kBFloat16Tiles) == 0 || (d & kTiles) == 0)
    return false;
  constexpr int kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM in Linux 5.16
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

struct InstructionSet {
  const char* name;
  const OpTable* ops;
  bool supported;
};

// Best first. __builtin_cpu_supports also asks whether the operating system saves the registers.
const InstructionSet* instructionSets(size_t* count) {
#if defined(PERSIMMON_X86_64)
  static const bool avx2 =
      (__builtin_cpu_init(), __builtin_cpu_supports("avx2")) && __builtin_cpu_supports("fma");
  static const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                             __builtin_cpu_supports("avx512vl");
  static const bool bfloat16 =
      avx512 && __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vnni");
#if defined(PERSIMMON_AMX)
  // Made here, by code for the oldest CPU.
  static const OpTable amxOps = [] {
    OpTable made = avx512_bf16::kOps;
    made.linear = &avx512_amx::linear;
    made.linearByInput = &avx512_amx::linearByInput;
    return made;
  }();
#endif
  static const InstructionSet sets[] = {
#if defined(PERSIMMON_AMX)
      {"avx512-amx", &amxOps, bfloat16 && amxUsable()},
#endif
      {"avx512-bf16", &avx512_bf16::kOps, bfloat16},
      {"avx512", &avx512::kOps, avx512},
      {"avx2", &avx2::kOps, avx2},
      {"portable", &portable::kOps, true},
  };
#else
  static const InstructionSet sets[] = {{"portable", &portable::kOps, true}};
#endif
  *count = sizeof sets / sizeof sets[0];
  return sets;
}

const InstructionSet* find(const char* name) {
  size_t count;
  const InstructionSet* sets = instructionSets(&count);
  for (size_t i = 0; i < count; ++i) {
    if (sets[i].supported && (name == nullptr || std::strcmp(sets[i].name, name) == 0)) return &sets[i];
  }
  return nullptr;
}

const InstructionSet*& chosen() {
  static const InstructionSet* set = [] {
    const char* wanted = std::getenv("PERSIMMON_ISA");
    const InstructionSet* found = wanted != nullptr ? find(wanted) : nullptr;
    return found != nullptr ? found : find(nullptr);
  }();
  return set;
}

const OpTable& ops() { return *chosen()->ops; }

}  // namespace

const char* instructionSet() { return chosen()->name; }

bool setInstructionSet(const char* name) {
  const InstructionSet* set = name != nullptr ? find(name) : nullptr;
  if (set == nullptr) return false;
  chosen() = set;
  return true;
}

void embedding(ThreadPool& pool, float* out, Weight table, const int32_t* ids, int64_t tokens,
               int64_t hidden) {
  ops().embedding(pool, out, table, ids, tokens, hidden);
}

void linear(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
            int64_t inFeatures, int64_t outFeatures) {
  ops().linear(pool, out, x, weight, bias, rows, inFeatures, outFeatures);
}

void linearByInput(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  ops().linearByInput(pool, out, x, weight, bias, rows, inFeatures, outFeatures);
}

void linearWhere(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, const float* gate,
                 int64_t rows, int64_t inFeatures, int64_t outFeatures) {
  ops().linearWhere(pool, out, x, weight, bias, gate, rows, inFeatures, outFeatures);
}

void layerNorm(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
               int64_t width, float epsilon) {
  ops().layerNorm(pool, out, x, weight, bias, rows, width, epsilon);
}

void reluSquared(ThreadPool& pool, float* out, const float* x, int64_t count) {
  ops().reluSquared(pool, out, x, count);
}

void add(ThreadPool& pool, float* out, const float* a, const float* b, int64_t count) {
  ops().add(pool, out, a, b, count);
}

void sub(ThreadPool& pool, float* out, const float* a, const float* b, int64_t count) {
  ops().sub(pool, out, a, b, count);
}

void mul(ThreadPool& pool, float* out, const float* a, const float* b, int64_t count) {
  ops().mul(pool, out, a, b, count);
}

void addBroadcast(ThreadPool& pool, float* out, Spread a, Spread b, int64_t rows, int64_t width) {
  ops().addBroadcast(pool, out, a, b, rows, width);
}

void subBroadcast(ThreadPool& pool, float* out, Spread a, Spread b, int64_t rows, int64_t width) {
  ops().subBroadcast(pool, out, a, b, rows, width);
}

void mulBroadcast(ThreadPool& pool, float* out, Spread a, Spread b, int64_t rows, int64_t width) {
  ops().mulBroadcast(pool, out, a, b, rows, width);
}

void scale(ThreadPool& pool, float* out, const float* x, float factor, int64_t count) {
  ops().scale(pool, out, x, factor, count);
}

void relu(ThreadPool& pool, float* out, const float* x, int64_t count) { ops().relu(pool, out, x, count); }

void gelu(ThreadPool& pool, float* out, const float* x, int64_t count) { ops().gelu(pool, out, x, count); }

void geluTanh(ThreadPool& pool, float* out, const float* x, int64_t count) {
  ops().geluTanh(pool, out, x, count);
}

void silu(ThreadPool& pool, float* out, const float* x, int64_t count) { ops().silu(pool, out, x, count); }

void sigmoid(ThreadPool& pool, float* out, const float* x, int64_t count) {
  ops().sigmoid(pool, out, x, count);
}

void tanh(ThreadPool& pool, float* out, const float* x, int64_t count) { ops().tanh(pool, out, x, count); }

void rmsNorm(ThreadPool& pool, float* out, const float* x, Weight weight, int64_t rows, int64_t width,
             float epsilon) {
  ops().rmsNorm(pool, out, x, weight, rows, width, epsilon);
}

void matmul(ThreadPool& pool, float* out, const float* a, const float* b, int64_t batch, int64_t rows,
            int64_t inner, int64_t columns) {
  ops().matmul(pool, out, a, b, batch, rows, inner, columns);
}

void attention(ThreadPool& pool, float* z, const float* q, const float* k, const float* v, int64_t tokens,
               int64_t keys, int32_t heads, int32_t headDim, float scale, bool causal) {
  ops().attention(pool, z, q, k, v, tokens, keys, heads, headDim, scale, causal);
}

void softmax(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width) {
  ops().softmax(pool, out, x, rows, width);
}

void logSoftmax(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width) {
  ops().logSoftmax(pool, out, x, rows, width);
}

void argmax(ThreadPool& pool, int32_t* out, const float* x, int64_t rows, int64_t width) {
  ops().argmax(pool, out, x, rows, width);
}

void gatherLogProbability(ThreadPool& pool, float* out, const float* logits, const int32_t* ids, int64_t rows,
                          int64_t width) {
  ops().gatherLogProbability(pool, out, logits, ids, rows, width);
}

void convertToFloat32(ThreadPool& pool, float* out, const void* x, DType from, int64_t count) {
  ops().convertToFloat32(pool, out, x, from, count);
}

void convertToBFloat16(ThreadPool& pool, uint16_t* out, const float* x, int64_t count) {
  ops().convertToBFloat16(pool, out, x, count);
}

void fusedAttention(ThreadPool& pool, float* z, const float* qkv, const AttentionShape& shape,
                    Weight qNormWeight, Weight qNormBias, Weight kNormWeight, Weight kNormBias, float epsilon,
                    const float* cos, const float* sin, const int32_t* positions, const int32_t* sequences,
                    const CacheView& cache, const AttentionTaps& taps) {
  ops().fusedAttention(pool, z, qkv, shape, qNormWeight, qNormBias, kNormWeight, kNormBias, epsilon, cos, sin,
                       positions, sequences, cache, taps);
}

void splitHeads(ThreadPool& pool, float* q, float* k, float* v, const float* qkv,
                const AttentionShape& shape) {
  ops().splitHeads(pool, q, k, v, qkv, shape);
}

void rotary(ThreadPool& pool, float* out, const float* x, const AttentionShape& shape, const float* cos,
            const float* sin, const int32_t* positions) {
  ops().rotary(pool, out, x, shape, cos, sin, positions);
}

void cacheAppend(ThreadPool& pool, const float* k, const float* v, const AttentionShape& shape,
                 const int32_t* positions, const int32_t* sequences, const CacheView& cache) {
  ops().cacheAppend(pool, k, v, shape, positions, sequences, cache);
}

void attentionPattern(ThreadPool& pool, float* pattern, int64_t keys, const float* q,
                      const AttentionShape& shape, const int32_t* positions, const int32_t* sequences,
                      const CacheView& cache) {
  ops().attentionPattern(pool, pattern, keys, q, shape, positions, sequences, cache);
}

void attentionValues(ThreadPool& pool, float* z, const float* pattern, int64_t keys,
                     const AttentionShape& shape, const int32_t* positions, const int32_t* sequences,
                     const CacheView& cache) {
  ops().attentionValues(pool, z, pattern, keys, shape, positions, sequences, cache);
}

uint32_t readBytes(const void* data, size_t bytes, bool fetch) { return ops().readBytes(data, bytes, fetch); }

float expWeights(float* weights, const float* x, int64_t count, float max, float temperature,
                 float threshold) {
  return ops().expWeights(weights, x, count, max, temperature, threshold);
}

}  // namespace persimmon::cpu
