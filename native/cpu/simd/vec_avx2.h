// Vec on AVX2 with FMA: lanes 0..7 and 8..15. Included by vec.h only; vec_avx512.h documents the functions.
#pragma once

#include <immintrin.h>

namespace persimmon::cpu::PERSIMMON_ISA {

struct BFloat16 {
  uint16_t bits;
};

struct Vec {
  __m256 lo, hi;
};

PERSIMMON_INLINE Vec broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
PERSIMMON_INLINE Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }

// All ones in the lanes below n, for lanes [from, from + 8).
PERSIMMON_INLINE __m256i firstLanes(int n, int from) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n - from), lane);
}

PERSIMMON_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
PERSIMMON_INLINE Vec loadPartial(const float* p, int n) {
  return {_mm256_maskload_ps(p, firstLanes(n, 0)), _mm256_maskload_ps(p + 8, firstLanes(n, 8))};
}
PERSIMMON_INLINE void store(float* p, Vec a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
PERSIMMON_INLINE void storePartial(float* p, Vec a, int n) {
  _mm256_maskstore_ps(p, firstLanes(n, 0), a.lo);
  _mm256_maskstore_ps(p + 8, firstLanes(n, 8), a.hi);
}

PERSIMMON_INLINE __m256 widen(__m128i halves) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}
PERSIMMON_INLINE Vec load(const BFloat16* p) {
  return {widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          widen(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
PERSIMMON_INLINE Vec loadPartial(const BFloat16* p, int n) {
  BFloat16 lanes[16] = {};
  __builtin_memcpy(lanes, p, static_cast<size_t>(n) * sizeof(BFloat16));
  return load(lanes);
}

PERSIMMON_INLINE __m256 toFloats(const int8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
PERSIMMON_INLINE Vec load(const int8_t* p) { return {toFloats(p), toFloats(p + 8)}; }
PERSIMMON_INLINE Vec loadPartial(const int8_t* p, int n) {
  int8_t lanes[16] = {};
  __builtin_memcpy(lanes, p, static_cast<size_t>(n));
  return load(lanes);
}

PERSIMMON_INLINE Vec operator+(Vec a, Vec b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
PERSIMMON_INLINE Vec operator-(Vec a, Vec b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
PERSIMMON_INLINE Vec operator*(Vec a, Vec b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
PERSIMMON_INLINE Vec operator/(Vec a, Vec b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
PERSIMMON_INLINE Vec fma(Vec a, Vec b, Vec c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
PERSIMMON_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
PERSIMMON_INLINE Vec selectLess(Vec a, Vec b, Vec yes, Vec no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
          _mm256_blendv_ps(no.hi, yes.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ))};
}
PERSIMMON_INLINE Vec selectEqual(Vec a, Vec b, Vec yes, Vec no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ)),
          _mm256_blendv_ps(no.hi, yes.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ))};
}
PERSIMMON_INLINE bool anyGreater(Vec a, Vec b) {
  return _mm256_movemask_ps(
             _mm256_or_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ))) != 0;
}

PERSIMMON_INLINE Vec bitOr(Vec a, Vec b) { return {_mm256_or_ps(a.lo, b.lo), _mm256_or_ps(a.hi, b.hi)}; }

PERSIMMON_INLINE __m256 shiftToExponent(__m256 a, int add) {
  const __m256i sum = _mm256_add_epi32(_mm256_castps_si256(a), _mm256_set1_epi32(add));
  return _mm256_castsi256_ps(_mm256_slli_epi32(sum, 23));
}
PERSIMMON_INLINE Vec shiftToExponent(Vec a, int add) {
  return {shiftToExponent(a.lo, add), shiftToExponent(a.hi, add)};
}

PERSIMMON_INLINE float reduceAdd(Vec a) {
  const __m256 eight = _mm256_add_ps(a.lo, a.hi);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

PERSIMMON_INLINE float reduceMax(Vec a) {
  const __m256 eight = _mm256_max_ps(a.lo, a.hi);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

// Eight of the sixteen sums, from a[0..7].
PERSIMMON_INLINE __m256 reduceAdd8(const Vec* a) {
  __m256 quarter[4];
  for (int k = 0; k < 4; ++k) {
    const __m256 p = _mm256_add_ps(a[k].lo, a[k].hi), q = _mm256_add_ps(a[k + 4].lo, a[k + 4].hi);
    quarter[k] = _mm256_add_ps(_mm256_permute2f128_ps(p, q, 0x20), _mm256_permute2f128_ps(p, q, 0x31));
  }
  __m256 half[2];
  for (int k = 0; k < 2; ++k) {
    const __m256d p = _mm256_castps_pd(quarter[2 * k]), q = _mm256_castps_pd(quarter[2 * k + 1]);
    half[k] =
        _mm256_add_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(p, q)), _mm256_castpd_ps(_mm256_unpackhi_pd(p, q)));
  }
  return _mm256_add_ps(_mm256_shuffle_ps(half[0], half[1], 0x88), _mm256_shuffle_ps(half[0], half[1], 0xDD));
}
PERSIMMON_INLINE Vec reduceAdd16(const Vec (&a)[16]) { return {reduceAdd8(a), reduceAdd8(a + 8)}; }

}  // namespace persimmon::cpu::PERSIMMON_ISA
