// Vec on the vector extensions of GCC and Clang: four 128-bit vectors, which SSE2 and NEON have. On arm64
// fma() is one instruction and results equal those of AVX2. On x64 without FMA it is a multiplication and an
// addition, each rounded: without the instruction, fmaf is a library call for each lane. Included by vec.h
// only; vec_avx512.h documents the functions.
#pragma once

#if defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace persimmon::cpu::PERSIMMON_ISA {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "weights are little-endian");

typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));
typedef uint32_t UInt4 __attribute__((vector_size(16)));
typedef int8_t Byte4 __attribute__((vector_size(4)));
typedef uint16_t UShort8 __attribute__((vector_size(16)));

struct BFloat16 {
  uint16_t bits;
};

struct Vec {
  Float4 q[4];
};

template <class F>
PERSIMMON_INLINE Vec map(F f) {
  return {{f(0), f(1), f(2), f(3)}};
}

PERSIMMON_INLINE Float4 broadcast4(float x) { return Float4{x, x, x, x}; }
PERSIMMON_INLINE Vec broadcast(float x) {
  return map([&](int) { return broadcast4(x); });
}
PERSIMMON_INLINE Vec zero() { return broadcast(0.0f); }

PERSIMMON_INLINE Vec load(const float* p) {
  Vec a;
  __builtin_memcpy(a.q, p, sizeof a.q);
  return a;
}
PERSIMMON_INLINE Vec loadPartial(const float* p, int n) {
  float lanes[16] = {};
  __builtin_memcpy(lanes, p, static_cast<size_t>(n) * sizeof(float));
  return load(lanes);
}
PERSIMMON_INLINE void store(float* p, Vec a) { __builtin_memcpy(p, a.q, sizeof a.q); }
PERSIMMON_INLINE void storePartial(float* p, Vec a, int n) {
  __builtin_memcpy(p, a.q, static_cast<size_t>(n) * sizeof(float));
}

// Interleaving with zeros puts each half in the upper bits of a 32-bit lane.
PERSIMMON_INLINE Vec load(const BFloat16* p) {
  UShort8 h[2];
  __builtin_memcpy(h, p, sizeof h);
  const UShort8 none = {};
  Vec a;
  for (int i = 0; i < 2; ++i) {
    a.q[2 * i] = reinterpret_cast<Float4>(__builtin_shufflevector(none, h[i], 0, 8, 1, 9, 2, 10, 3, 11));
    a.q[2 * i + 1] =
        reinterpret_cast<Float4>(__builtin_shufflevector(none, h[i], 4, 12, 5, 13, 6, 14, 7, 15));
  }
  return a;
}
PERSIMMON_INLINE Vec loadPartial(const BFloat16* p, int n) {
  BFloat16 lanes[16] = {};
  __builtin_memcpy(lanes, p, static_cast<size_t>(n) * sizeof(BFloat16));
  return load(lanes);
}

PERSIMMON_INLINE Vec load(const int8_t* p) {
  return map([&](int i) {
    Byte4 bytes;
    __builtin_memcpy(&bytes, p + 4 * i, sizeof bytes);
    return __builtin_convertvector(bytes, Float4);
  });
}
PERSIMMON_INLINE Vec loadPartial(const int8_t* p, int n) {
  int8_t lanes[16] = {};
  __builtin_memcpy(lanes, p, static_cast<size_t>(n));
  return load(lanes);
}

PERSIMMON_INLINE Vec operator+(Vec a, Vec b) {
  return map([&](int i) { return a.q[i] + b.q[i]; });
}
PERSIMMON_INLINE Vec operator-(Vec a, Vec b) {
  return map([&](int i) { return a.q[i] - b.q[i]; });
}
PERSIMMON_INLINE Vec operator*(Vec a, Vec b) {
  return map([&](int i) { return a.q[i] * b.q[i]; });
}
PERSIMMON_INLINE Vec operator/(Vec a, Vec b) {
  return map([&](int i) { return a.q[i] / b.q[i]; });
}
PERSIMMON_INLINE Vec fma(Vec a, Vec b, Vec c) {
#if defined(__aarch64__)
  return map([&](int i) {
    return reinterpret_cast<Float4>(vfmaq_f32(reinterpret_cast<float32x4_t>(c.q[i]),
                                              reinterpret_cast<float32x4_t>(a.q[i]),
                                              reinterpret_cast<float32x4_t>(b.q[i])));
  });
#else
  return map([&](int i) { return a.q[i] * b.q[i] + c.q[i]; });
#endif
}

PERSIMMON_INLINE Float4 select4(Int4 mask, Float4 yes, Float4 no) {
  return reinterpret_cast<Float4>((mask & reinterpret_cast<Int4>(yes)) |
                                  (~mask & reinterpret_cast<Int4>(no)));
}
PERSIMMON_INLINE Vec max(Vec a, Vec b) {
  return map([&](int i) { return select4(a.q[i] > b.q[i], a.q[i], b.q[i]); });
}
PERSIMMON_INLINE Vec selectLess(Vec a, Vec b, Vec yes, Vec no) {
  return map([&](int i) { return select4(a.q[i] < b.q[i], yes.q[i], no.q[i]); });
}
PERSIMMON_INLINE Vec selectEqual(Vec a, Vec b, Vec yes, Vec no) {
  return map([&](int i) { return select4(a.q[i] == b.q[i], yes.q[i], no.q[i]); });
}
PERSIMMON_INLINE bool anyGreater(Vec a, Vec b) {
  Int4 any = {};
  for (int i = 0; i < 4; ++i) any |= a.q[i] > b.q[i];
  return (any[0] | any[1] | any[2] | any[3]) != 0;
}

PERSIMMON_INLINE Vec bitOr(Vec a, Vec b) {
  return map([&](int i) {
    return reinterpret_cast<Float4>(reinterpret_cast<Int4>(a.q[i]) | reinterpret_cast<Int4>(b.q[i]));
  });
}

PERSIMMON_INLINE Vec shiftToExponent(Vec a, int add) {
  const uint32_t u = static_cast<uint32_t>(add);
  return map([&](int i) {
    return reinterpret_cast<Float4>((reinterpret_cast<UInt4>(a.q[i]) + UInt4{u, u, u, u}) << 23);
  });
}

PERSIMMON_INLINE float reduceAdd(Vec a) {
  const Float4 four = (a.q[0] + a.q[2]) + (a.q[1] + a.q[3]);
  return (four[0] + four[2]) + (four[1] + four[3]);
}

PERSIMMON_INLINE float reduceMax(Vec a) {
  float result = a.q[0][0];
  for (int i = 1; i < 16; ++i) result = a.q[i / 4][i % 4] > result ? a.q[i / 4][i % 4] : result;
  return result;
}

PERSIMMON_INLINE Vec reduceAdd16(const Vec (&a)[16]) {
  return map([&](int block) {
    Float4 four[4];
    for (int k = 0; k < 4; ++k) {
      const Vec& v = a[4 * block + k];
      four[k] = (v.q[0] + v.q[2]) + (v.q[1] + v.q[3]);
    }
    Float4 two[2];
    for (int k = 0; k < 2; ++k) {
      two[k] = __builtin_shufflevector(four[2 * k], four[2 * k + 1], 0, 1, 4, 5) +
               __builtin_shufflevector(four[2 * k], four[2 * k + 1], 2, 3, 6, 7);
    }
    return __builtin_shufflevector(two[0], two[1], 0, 2, 4, 6) +
           __builtin_shufflevector(two[0], two[1], 1, 3, 5, 7);
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
