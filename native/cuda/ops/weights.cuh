// How kernels read weights: 16 bytes at a time past the first-level cache, and one number at a time where
// something is not aligned. The layouts are those of cpu/scaled_weights.h.
#pragma once

#include <type_traits>

#include "cuda/device.cuh"

namespace persimmon::cuda {

/**
 * 16 aligned bytes that nobody reads again soon: they are kept out of the first-level cache. After
 * waitForPrevious, where the compiler leaves it, and not by the path for constant data (`.nc`, `__ldg`): the
 * kernel right before may have made the weight, and overlaps this one.
 */
__device__ __forceinline__ uint4 loadStreamed(const void* data) {
#ifdef PERSIMMON_CUDA_EMULATED
  return *static_cast<const uint4*>(data);
#else
  uint4 value;
  asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
               : "l"(data));
  return value;
#endif
}

/**
 * Asks for 16 bytes of a weight before the kernels before are waited for. Into the second-level cache, whose
 * content is what the last of them writes; into a register they could be loaded only if no kernel right
 * before made the weight.
 */
__device__ __forceinline__ void askFor([[maybe_unused]] const void* data) {
#ifndef PERSIMMON_CUDA_EMULATED
  asm volatile("prefetch.global.L2 [%0];" ::"l"(data));
#endif
}

__device__ __forceinline__ uint4 noWeights() { return make_uint4(0, 0, 0, 0); }

__device__ __forceinline__ float widened(float x) { return x; }
__device__ __forceinline__ float widened(uint16_t x) { return fromBFloat16(x); }

/** Sixteen bytes of float32. */
__device__ __forceinline__ void widen(const uint4& w, float (&numbers)[4]) {
  numbers[0] = __uint_as_float(w.x);
  numbers[1] = __uint_as_float(w.y);
  numbers[2] = __uint_as_float(w.z);
  numbers[3] = __uint_as_float(w.w);
}

/** Sixteen bytes of bfloat16. */
__device__ __forceinline__ void widen(const uint4& w, float (&numbers)[8]) {
  const uint32_t words[4] = {w.x, w.y, w.z, w.w};
  PERSIMMON_UNROLL
  for (int i = 0; i < 4; ++i) {
    numbers[2 * i] = lowBFloat16(words[i]);
    numbers[2 * i + 1] = highBFloat16(words[i]);
  }
}

// 2^23: a float32 with this exponent has the whole number of its lowest bits added to it, so that a byte
// becomes a number by one permutation and one exact subtraction. (The conversion instruction has a quarter of
// that rate or less.)
constexpr uint32_t kWholeBits = 0x4B000000u;
constexpr float kWhole = 8388608.0f;

/** Byte `byte` of a word, less `zero`. */
__device__ __forceinline__ float byteNumber(uint32_t word, int byte, int zero) {
  return __uint_as_float(__byte_perm(word, kWholeBits, 0x7650u + static_cast<unsigned>(byte))) -
         (kWhole + static_cast<float>(zero));
}

/** The four signed bytes of a word. */
__device__ __forceinline__ void widenBytes(uint32_t word, float* numbers) {
  PERSIMMON_UNROLL
  for (int i = 0; i < 4; ++i) numbers[i] = byteNumber(word ^ 0x80808080u, i, 128);
}

/** Sixteen bytes of int8. */
__device__ __forceinline__ void widen(const uint4& w, float (&numbers)[16]) {
  widenBytes(w.x, numbers);
  widenBytes(w.y, numbers + 4);
  widenBytes(w.z, numbers + 8);
  widenBytes(w.w, numbers + 12);
}

/** (word & mask) | kWholeBits by one instruction. The compiler takes two, since it has a constant for each.
 */
__device__ __forceinline__ uint32_t wholeBitsOf(uint32_t word, uint32_t mask) {
#ifdef PERSIMMON_CUDA_EMULATED
  return (word & mask) | kWholeBits;
#else
  uint32_t bits;
  asm("lop3.b32 %0, %1, %2, %3, 0xEA;" : "=r"(bits) : "r"(word), "r"(mask), "r"(kWholeBits));
  return bits;
#endif
}

/**
 * The four lower nibbles i of a word, each less 8. A nibble is taken where it stands, times 16^i, so one
 * logical operation and one exact multiply-add are enough.
 */
__device__ __forceinline__ void widenNibbles(uint32_t word, float* numbers) {
  PERSIMMON_UNROLL
  for (int i = 0; i < 4; ++i) {
    const float unit = 1.0f / static_cast<float>(1 << (4 * i));
    const float shifted = __uint_as_float(wholeBitsOf(word, 15u << (4 * i)));
    numbers[i] = fmaf(shifted, unit, -(kWhole * unit + 8.0f));
  }
}

/** The eight nibbles of a word, each less 8. */
__device__ __forceinline__ void widenWord(uint32_t word, float (&numbers)[8]) {
  widenNibbles(word, numbers);
  widenNibbles(word >> 16, numbers + 4);
}

// One number at a time, of output o and input k, and what it is multiplied with.

/** [outFeatures, inFeatures] of float32 or bfloat16 (uint16_t). */
template <class T>
struct PlainRows {
  const T* data;
  int64_t inFeatures;
  __device__ float number(int64_t o, int64_t k) const { return widened(data[o * inFeatures + k]); }
  __device__ float scale(int64_t, int64_t) const { return 1.0f; }
};

/** int8 in tiles; groups is inFeatures / 32, rounded up. */
struct Int8Tiles {
  const uint8_t* data;
  const float* scales;
  int64_t groups;
  __device__ const uint8_t* group(int64_t tile, int64_t g) const { return data + (tile * groups + g) * 512; }
  /** Of input i of 8: byte i / 2 of half i % 2. */
  __device__ float number(int64_t o, int64_t k) const {
    const int64_t inGroup = k % cpu::kGroupInputs, word = inGroup / 8 * 2 + inGroup % 2,
                  byte = inGroup % 8 / 2;
    const uint8_t* at = group(o / cpu::kWeightTile, k / cpu::kGroupInputs);
    return static_cast<float>(at[(word * cpu::kWeightTile + o % cpu::kWeightTile) * 4 + byte] -
                              cpu::kInt8Zero);
  }
  __device__ float scale(int64_t o, int64_t) const { return scales[o]; }
};

/** int4 in tiles. */
struct Int4Tiles {
  const uint8_t* data;
  const uint16_t* scales;
  int64_t groups;
  __device__ const uint8_t* group(int64_t tile, int64_t g) const { return data + (tile * groups + g) * 256; }
  __device__ float number(int64_t o, int64_t k) const {
    const int64_t inGroup = k % cpu::kGroupInputs, word = inGroup / 8, byte = inGroup % 8 / 2;
    const uint8_t* at = group(o / cpu::kWeightTile, k / cpu::kGroupInputs);
    const int both = at[(word * cpu::kWeightTile + o % cpu::kWeightTile) * 4 + byte];
    return static_cast<float>((k % 2 ? both >> 4 : both & 15) - cpu::kInt4Zero);
  }
  __device__ float scale(int64_t o, int64_t k) const {
    const int64_t group = o / cpu::kWeightTile * groups + k / cpu::kGroupInputs;
    return fromBFloat16(scales[group * cpu::kWeightTile + o % cpu::kWeightTile]);
  }
};

/** Calls f with PlainRows<T>, Int8Tiles or Int4Tiles of a weight for linear. */
template <class F>
void withRowFormat(const cpu::Weight& weight, int64_t inFeatures, F&& f) {
  const int64_t groups = (inFeatures + cpu::kGroupInputs - 1) / cpu::kGroupInputs;
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  switch (weight.dtype) {
    case cpu::DType::kInt8:
      return f(Int8Tiles{bytes, static_cast<const float*>(weight.scales), groups});
    case cpu::DType::kInt4:
      return f(Int4Tiles{bytes, static_cast<const uint16_t*>(weight.scales), groups});
    case cpu::DType::kBFloat16:
      return f(PlainRows<uint16_t>{static_cast<const uint16_t*>(weight.data), inFeatures});
    default:
      return f(PlainRows<float>{static_cast<const float*>(weight.data), inFeatures});
  }
}

inline bool isAligned(const void* data, size_t bytes = 16) {
  return reinterpret_cast<uintptr_t>(data) % bytes == 0;
}

/** Asks for element `i` of a small weight (a bias, a norm) before the kernels before are waited for: it is
 * not needed before a sum is there, and would then be waited for. Nothing where there is no such weight. */
__device__ __forceinline__ void askForElement(const cpu::Weight& weight, int64_t i) {
  const int64_t bytes = weight.dtype == cpu::DType::kBFloat16 ? 2 : 4;
  if (weight.data != nullptr) askFor(static_cast<const uint8_t*>(weight.data) + i * bytes);
}

__device__ __forceinline__ float biasOf(const cpu::Weight& bias, int64_t o) {
  return bias.data != nullptr ? element(bias, o) : 0.0f;
}

/** Adds to the counters of the weights that were read and left out; one thread of a launch, or of some
 * blocks. */
__device__ __forceinline__ void countTraffic(unsigned long long* traffic, int64_t read, int64_t skipped) {
  atomicAdd(traffic, static_cast<unsigned long long>(read));
  if (skipped != 0) atomicAdd(traffic + 1, static_cast<unsigned long long>(skipped));
}

}  // namespace persimmon::cuda
