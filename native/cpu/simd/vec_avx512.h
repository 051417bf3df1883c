// Vec on AVX-512 (F, BW, DQ, VL). Included by vec.h only.
#pragma once

#include <immintrin.h>

namespace persimmon::cpu::PERSIMMON_ISA {

struct BFloat16 {
  uint16_t bits;
};

struct Vec {
  __m512 v;
};

PERSIMMON_INLINE __mmask16 firstLanes(int n) { return static_cast<__mmask16>((1u << n) - 1); }

PERSIMMON_INLINE Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
PERSIMMON_INLINE Vec zero() { return {_mm512_setzero_ps()}; }

PERSIMMON_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
PERSIMMON_INLINE Vec loadPartial(const float* p, int n) { return {_mm512_maskz_loadu_ps(firstLanes(n), p)}; }
PERSIMMON_INLINE void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
PERSIMMON_INLINE void storePartial(float* p, Vec a, int n) { _mm512_mask_storeu_ps(p, firstLanes(n), a.v); }

PERSIMMON_INLINE Vec widen(__m256i halves) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16))};
}
PERSIMMON_INLINE Vec load(const BFloat16* p) {
  return widen(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
PERSIMMON_INLINE Vec loadPartial(const BFloat16* p, int n) {
  return widen(_mm256_maskz_loadu_epi16(firstLanes(n), p));
}

PERSIMMON_INLINE Vec toFloats(__m128i integers) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(integers))};
}
PERSIMMON_INLINE Vec load(const int8_t* p) {
  return toFloats(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
PERSIMMON_INLINE Vec loadPartial(const int8_t* p, int n) {
  return toFloats(_mm_maskz_loadu_epi8(firstLanes(n), p));
}

PERSIMMON_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
PERSIMMON_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
PERSIMMON_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
PERSIMMON_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
/** a * b + c, rounded once. */
PERSIMMON_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
/** Lane by lane a > b ? a : b, so b where a is NaN. */
PERSIMMON_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
/** Lane by lane a < b ? yes : no; no where a or b is NaN. */
PERSIMMON_INLINE Vec selectLess(Vec a, Vec b, Vec yes, Vec no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), no.v, yes.v)};
}
/** Lane by lane a == b ? yes : no. */
PERSIMMON_INLINE Vec selectEqual(Vec a, Vec b, Vec yes, Vec no) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ), no.v, yes.v)};
}
/** Whether a > b in any lane. */
PERSIMMON_INLINE bool anyGreater(Vec a, Vec b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ) != 0; }

/** The bits of either. */
PERSIMMON_INLINE Vec bitOr(Vec a, Vec b) { return {_mm512_or_ps(a.v, b.v)}; }

/** The bits of a as integers, plus `add`, shifted left by 23: a power of two from an exponent in the low
 * bits. */
PERSIMMON_INLINE Vec shiftToExponent(Vec a, int add) {
  const __m512i sum = _mm512_add_epi32(_mm512_castps_si512(a.v), _mm512_set1_epi32(add));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(sum, 23))};
}

/** Sum of the lanes: i with i + 8, then + 4, + 2, + 1. Every version of Vec adds in this order. */
PERSIMMON_INLINE float reduceAdd(Vec a) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

PERSIMMON_INLINE float reduceMax(Vec a) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

/** Lane i of the result is reduceAdd(a[i]), bit for bit; 30 shuffles and 15 additions instead of 16 trees. */
PERSIMMON_INLINE Vec reduceAdd16(const Vec (&a)[16]) {
  __m512 quarter[4];
  for (int k = 0; k < 4; ++k) {
    const __m512 p0 = a[k].v, p1 = a[k + 4].v, p2 = a[k + 8].v, p3 = a[k + 12].v;
    const __m512 first =
        _mm512_add_ps(_mm512_shuffle_f32x4(p0, p1, 0x44), _mm512_shuffle_f32x4(p0, p1, 0xEE));
    const __m512 second =
        _mm512_add_ps(_mm512_shuffle_f32x4(p2, p3, 0x44), _mm512_shuffle_f32x4(p2, p3, 0xEE));
    quarter[k] =
        _mm512_add_ps(_mm512_shuffle_f32x4(first, second, 0x88), _mm512_shuffle_f32x4(first, second, 0xDD));
  }
  __m512 half[2];
  for (int k = 0; k < 2; ++k) {
    const __m512d p = _mm512_castps_pd(quarter[2 * k]), q = _mm512_castps_pd(quarter[2 * k + 1]);
    half[k] =
        _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(p, q)), _mm512_castpd_ps(_mm512_unpackhi_pd(p, q)));
  }
  return {
      _mm512_add_ps(_mm512_shuffle_ps(half[0], half[1], 0x88), _mm512_shuffle_ps(half[0], half[1], 0xDD))};
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
