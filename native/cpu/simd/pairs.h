// What a product takes in one instruction: sixteen float32 numbers, or sixteen pairs of bfloat16 numbers
// whose two products are added to a lane, the odd one first. A product of two bfloat16 numbers is exact in
// float32, so a pair gives the bits of two fused multiply-adds (VDPBF16PS in Intel's manual; so on Zen 5,
// too), except that subnormal numbers count as zero.
#pragma once

#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Whether pairs are faster than float32: where not, MatmulPrecision::kMedium is kHighest. */
#if defined(__AVX512BF16__)
constexpr bool kHasPairs = true;
#else
constexpr bool kHasPairs = false;
#endif

/** Numbers of type X that a step along the inputs takes. */
template <class X>
constexpr int64_t kStepInputs = kLanes;
template <>
constexpr int64_t kStepInputs<BFloat16> = 2 * kLanes;

/** A vector of numbers of type X, from weights of type T. */
template <class X>
struct Step {
  template <class T>
  static PERSIMMON_INLINE Vec load(const T* p) {
    return PERSIMMON_ISA::load(p);
  }
  template <class T>
  static PERSIMMON_INLINE Vec loadPartial(const T* p, int n) {
    return PERSIMMON_ISA::loadPartial(p, n);
  }
};

/** Two inputs of one row, in the order that adds the first one first. */
struct InputPair {
  BFloat16 second, first;
};

#if defined(__AVX512BF16__)

struct Pairs {
  __m512bh v;
};

template <>
struct Step<BFloat16> {
  static PERSIMMON_INLINE Pairs load(const BFloat16* p) {
    return {reinterpret_cast<__m512bh>(_mm512_loadu_si512(p))};
  }
  static PERSIMMON_INLINE Pairs loadPartial(const BFloat16* p, int n) {
    return {reinterpret_cast<__m512bh>(_mm512_maskz_loadu_epi16((__mmask32{1} << n) - 1, p))};
  }
};

PERSIMMON_INLINE Pairs load(const InputPair* p) {
  return {reinterpret_cast<__m512bh>(_mm512_loadu_si512(p))};
}
PERSIMMON_INLINE Pairs broadcast(InputPair pair) {
  int32_t bits;
  __builtin_memcpy(&bits, &pair, sizeof bits);
  return {reinterpret_cast<__m512bh>(_mm512_set1_epi32(bits))};
}
/** Lane by lane `first` and `second`, which are bfloat16 numbers. */
PERSIMMON_INLINE Pairs pairsOf(Vec first, Vec second) {
  const __m512i low = _mm512_srli_epi32(_mm512_castps_si512(second.v), 16);
  return {reinterpret_cast<__m512bh>(_mm512_or_si512(_mm512_castps_si512(first.v), low))};
}
/** Of 32 numbers each, in two vectors. */
PERSIMMON_INLINE void pairsOf(const BFloat16* first, const BFloat16* second, Pairs* pairs) {
  alignas(64) static constexpr struct Places {
    uint16_t words[2][32];
    constexpr Places() : words() {
      for (uint16_t i = 0; i < 32; ++i) {
        words[i / 16][i % 16 * 2] = i;
        words[i / 16][i % 16 * 2 + 1] = static_cast<uint16_t>(32 + i);
      }
    }
  } kPlaces;
  const __m512i high = _mm512_loadu_si512(first), low = _mm512_loadu_si512(second);
  for (int v = 0; v < 2; ++v) {
    const __m512i places = _mm512_load_si512(kPlaces.words[v]);
    pairs[v] = {reinterpret_cast<__m512bh>(_mm512_permutex2var_epi16(low, places, high))};
  }
}
PERSIMMON_INLINE void store(InputPair* p, Pairs a) { _mm512_storeu_si512(p, reinterpret_cast<__m512i>(a.v)); }
PERSIMMON_INLINE void store(BFloat16* p, Pairs a) { _mm512_storeu_si512(p, reinterpret_cast<__m512i>(a.v)); }
PERSIMMON_INLINE Vec fma(Pairs a, Pairs b, Vec c) { return {_mm512_dpbf16_ps(c.v, a.v, b.v)}; }

#endif

}  // namespace persimmon::cpu::PERSIMMON_ISA
