// Sixteen int32 lanes with dot products of four unsigned by four signed bytes, and what puts four bytes side
// by side. Integer sums are exact, so every version gives the same bits.
#pragma once

#include "cpu/scaled_weights.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

#if defined(__AVX512F__)

struct Bytes {
  __m512i v;
};
struct Integers {
  __m512i v;
};

PERSIMMON_INLINE Integers broadcastInteger(int32_t x) { return {_mm512_set1_epi32(x)}; }
PERSIMMON_INLINE Integers loadIntegers(const int32_t* p) { return {_mm512_loadu_si512(p)}; }
PERSIMMON_INLINE void storeIntegers(int32_t* p, Integers x) { _mm512_storeu_si512(p, x.v); }
/** The four bytes at p in every lane. */
PERSIMMON_INLINE Bytes broadcastWord(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return {_mm512_set1_epi32(word)};
}
PERSIMMON_INLINE Bytes loadBytes(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
PERSIMMON_INLINE void storeBytes(uint8_t* p, Bytes x) { _mm512_storeu_si512(p, x.v); }
/** 128 numbers of four bits: the low halves of 64 bytes and the high ones, from 0 to 15. */
PERSIMMON_INLINE void splitHalves(Bytes x, Bytes* low, Bytes* high) {
  const __m512i mask = _mm512_set1_epi8(15);
  *low = {_mm512_and_si512(x.v, mask)};
  *high = {_mm512_and_si512(_mm512_srli_epi16(x.v, 4), mask)};
}
/** Signed numbers plus 128. */
PERSIMMON_INLINE Bytes addInt8Zero(Bytes x) {
  return {_mm512_xor_si512(x.v, _mm512_set1_epi8(static_cast<char>(kInt8Zero)))};
}
/** Lane i of out[k] has the bytes of place 16 * (i / 4) + 4 * k + i % 4 of all four. */
PERSIMMON_INLINE void interleave(const Bytes (&x)[4], Bytes (&out)[4]) {
  const __m512i low01 = _mm512_unpacklo_epi8(x[0].v, x[1].v), high01 = _mm512_unpackhi_epi8(x[0].v, x[1].v);
  const __m512i low23 = _mm512_unpacklo_epi8(x[2].v, x[3].v), high23 = _mm512_unpackhi_epi8(x[2].v, x[3].v);
  out[0] = {_mm512_unpacklo_epi16(low01, low23)};
  out[1] = {_mm512_unpackhi_epi16(low01, low23)};
  out[2] = {_mm512_unpacklo_epi16(high01, high23)};
  out[3] = {_mm512_unpackhi_epi16(high01, high23)};
}
/** 32 numbers and 32 others in the order of interleave(), whose places 0 to 31 are the first. */
PERSIMMON_INLINE void loadInterleaved(const BFloat16* first, const BFloat16* second, Vec (&out)[4]) {
  const __m512i a = _mm512_loadu_si512(first), b = _mm512_loadu_si512(second);
  // Words of lane i come from place; the lower half of the lane stays zero, which widens the number.
  const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 32, 33, 34, 35, 48, 49, 50, 51);
  for (int k = 0; k < 4; ++k) {
    const __m512i places = _mm512_slli_epi32(_mm512_add_epi32(lanes, _mm512_set1_epi32(4 * k)), 16);
    out[k] = {_mm512_castsi512_ps(_mm512_maskz_permutex2var_epi16(0xAAAAAAAA, a, places, b))};
  }
}

#if defined(__AVX512VNNI__)
/** sums[lane] + the four products of the lane; a from 0 to 15. */
PERSIMMON_INLINE Integers addInt4Dots(Integers sums, Bytes a, Bytes b) {
  return {_mm512_dpbusd_epi32(sums.v, a.v, b.v)};
}
/** sums[lane] + the four products of a - 128 - kInt8Shift of the lane; a from 1 to 255. */
constexpr int32_t kInt8Shift = -kInt8Zero;
PERSIMMON_INLINE Integers addInt8Dots(Integers sums, Bytes a, Bytes b) {
  return {_mm512_dpbusd_epi32(sums.v, a.v, b.v)};
}
#else
PERSIMMON_INLINE Integers addPairs(Integers sums, __m512i pairs) {
  return {_mm512_add_epi32(sums.v, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))};
}
PERSIMMON_INLINE Integers addInt4Dots(Integers sums, Bytes a, Bytes b) {
  return addPairs(sums, _mm512_maddubs_epi16(a.v, b.v));  // at most 2 * 15 * 127
}
// Sums of two products with numbers up to 255 do not fit 16 bits, those of magnitudes up to 127 do.
constexpr int32_t kInt8Shift = 0;
PERSIMMON_INLINE Integers addInt8Dots(Integers sums, Bytes a, Bytes b) {
  const __m512i numbers = _mm512_xor_si512(a.v, _mm512_set1_epi8(-128));
  const __m512i signedB =
      _mm512_mask_sub_epi8(b.v, _mm512_movepi8_mask(numbers), _mm512_setzero_si512(), b.v);
  return addPairs(sums, _mm512_maddubs_epi16(_mm512_abs_epi8(numbers), signedB));
}
#endif
PERSIMMON_INLINE Vec toFloats(Integers x) { return {_mm512_cvtepi32_ps(x.v)}; }

/** 32 whole numbers in the order of activations' words, [word][half][4]: the bits of a and b less `bits`,
 * from -128 to 127. Returns their sum. */
PERSIMMON_INLINE int32_t storeWords(int8_t* words, Vec a, Vec b, int32_t bits) {
  const __m512i shift = _mm512_set1_epi32(bits);
  const __m512i first = _mm512_sub_epi32(_mm512_castps_si512(a.v), shift);
  const __m512i second = _mm512_sub_epi32(_mm512_castps_si512(b.v), shift);
  const __m256i inOrder = _mm256_set_m128i(_mm512_cvtepi32_epi8(second), _mm512_cvtepi32_epi8(first));
  const __m256i halves = _mm256_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15,  //
                                          0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(words), _mm256_shuffle_epi8(inOrder, halves));
  return _mm512_reduce_add_epi32(_mm512_add_epi32(first, second));
}

#elif defined(__AVX2__)

struct Bytes {
  __m256i v[2];
};
struct Integers {
  __m256i v[2];
};

PERSIMMON_INLINE Integers broadcastInteger(int32_t x) {
  const __m256i all = _mm256_set1_epi32(x);
  return {{all, all}};
}
PERSIMMON_INLINE Bytes broadcastWord(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  const __m256i all = _mm256_set1_epi32(word);
  return {{all, all}};
}
PERSIMMON_INLINE Bytes loadBytes(const uint8_t* p) {
  return {{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
           _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))}};
}
PERSIMMON_INLINE void storeBytes(uint8_t* p, const Bytes& x) {
  for (int i = 0; i < 2; ++i) _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32 * i), x.v[i]);
}
PERSIMMON_INLINE void splitHalves(const Bytes& x, Bytes* low, Bytes* high) {
  const __m256i mask = _mm256_set1_epi8(15);
  for (int i = 0; i < 2; ++i) {
    low->v[i] = _mm256_and_si256(x.v[i], mask);
    high->v[i] = _mm256_and_si256(_mm256_srli_epi16(x.v[i], 4), mask);
  }
}
PERSIMMON_INLINE Bytes addInt8Zero(const Bytes& x) {
  const __m256i signs = _mm256_set1_epi8(static_cast<char>(kInt8Zero));
  return {{_mm256_xor_si256(x.v[0], signs), _mm256_xor_si256(x.v[1], signs)}};
}
PERSIMMON_INLINE void interleave(const Bytes (&x)[4], Bytes (&out)[4]) {
  for (int i = 0; i < 2; ++i) {
    const __m256i low01 = _mm256_unpacklo_epi8(x[0].v[i], x[1].v[i]),
                  high01 = _mm256_unpackhi_epi8(x[0].v[i], x[1].v[i]),
                  low23 = _mm256_unpacklo_epi8(x[2].v[i], x[3].v[i]),
                  high23 = _mm256_unpackhi_epi8(x[2].v[i], x[3].v[i]);
    out[0].v[i] = _mm256_unpacklo_epi16(low01, low23);
    out[1].v[i] = _mm256_unpackhi_epi16(low01, low23);
    out[2].v[i] = _mm256_unpacklo_epi16(high01, high23);
    out[3].v[i] = _mm256_unpackhi_epi16(high01, high23);
  }
}
PERSIMMON_INLINE __m256i addPairs(__m256i sums, __m256i pairs) {
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
PERSIMMON_INLINE Integers addInt4Dots(Integers sums, const Bytes& a, const Bytes& b) {
  // Pairs are at most 2 * 15 * 127.
  for (int i = 0; i < 2; ++i) sums.v[i] = addPairs(sums.v[i], _mm256_maddubs_epi16(a.v[i], b.v[i]));
  return sums;
}
// Sums of two products with numbers up to 255 do not fit 16 bits, those of magnitudes up to 127 do.
constexpr int32_t kInt8Shift = 0;
PERSIMMON_INLINE Integers addInt8Dots(Integers sums, const Bytes& a, const Bytes& b) {
  for (int i = 0; i < 2; ++i) {
    const __m256i numbers = _mm256_xor_si256(a.v[i], _mm256_set1_epi8(-128));
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(numbers), _mm256_sign_epi8(b.v[i], numbers));
    sums.v[i] = addPairs(sums.v[i], pairs);
  }
  return sums;
}
PERSIMMON_INLINE Vec toFloats(const Integers& x) {
  return {_mm256_cvtepi32_ps(x.v[0]), _mm256_cvtepi32_ps(x.v[1])};
}

#else

struct Bytes {
  int8_t v[64];
};
struct Integers {
  int32_t v[16];
};

PERSIMMON_INLINE Integers broadcastInteger(int32_t x) {
  Integers all;
  for (int i = 0; i < 16; ++i) all.v[i] = x;
  return all;
}
PERSIMMON_INLINE Bytes broadcastWord(const int8_t* p) {
  Bytes all;
  for (int i = 0; i < 64; ++i) all.v[i] = p[i % 4];
  return all;
}
PERSIMMON_INLINE Bytes loadBytes(const uint8_t* p) {
  Bytes bytes;
  __builtin_memcpy(bytes.v, p, sizeof bytes.v);
  return bytes;
}
PERSIMMON_INLINE void storeBytes(uint8_t* p, const Bytes& x) { __builtin_memcpy(p, x.v, sizeof x.v); }
PERSIMMON_INLINE void splitHalves(const Bytes& x, Bytes* low, Bytes* high) {
  for (int i = 0; i < 64; ++i) {
    low->v[i] = static_cast<int8_t>(x.v[i] & 15);
    high->v[i] = static_cast<int8_t>(static_cast<uint8_t>(x.v[i]) >> 4);
  }
}
PERSIMMON_INLINE Bytes addInt8Zero(Bytes x) {
  for (int8_t& v : x.v) v = static_cast<int8_t>(v ^ kInt8Zero);
  return x;
}
PERSIMMON_INLINE void interleave(const Bytes (&x)[4], Bytes (&out)[4]) {
  for (int k = 0; k < 4; ++k) {
    for (int i = 0; i < 16; ++i) {
      for (int j = 0; j < 4; ++j) out[k].v[4 * i + j] = x[j].v[16 * (i / 4) + 4 * k + i % 4];
    }
  }
}
PERSIMMON_INLINE Integers addInt4Dots(Integers sums, const Bytes& a, const Bytes& b) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 4; ++j) sums.v[i] += a.v[4 * i + j] * b.v[4 * i + j];
  }
  return sums;
}
constexpr int32_t kInt8Shift = 0;
PERSIMMON_INLINE Integers addInt8Dots(Integers sums, const Bytes& a, const Bytes& b) {
  for (int i = 0; i < 16; ++i) {
    for (int j = 0; j < 4; ++j) {
      sums.v[i] += (static_cast<uint8_t>(a.v[4 * i + j]) - kInt8Zero) * b.v[4 * i + j];
    }
  }
  return sums;
}
PERSIMMON_INLINE Vec toFloats(const Integers& x) {
  float values[16];
  for (int i = 0; i < 16; ++i) values[i] = static_cast<float>(x.v[i]);
  return load(values);
}

#endif

#if !defined(__AVX512F__)
PERSIMMON_INLINE Integers loadIntegers(const int32_t* p) {
  Integers x;
  __builtin_memcpy(&x, p, sizeof x);
  return x;
}
PERSIMMON_INLINE void storeIntegers(int32_t* p, const Integers& x) { __builtin_memcpy(p, &x, sizeof x); }
PERSIMMON_INLINE void loadInterleaved(const BFloat16* first, const BFloat16* second, Vec (&out)[4]) {
  for (int k = 0; k < 4; ++k) {
    const BFloat16* quarters[4] = {first, first + 16, second, second + 16};
    BFloat16 numbers[kLanes];
    for (int i = 0; i < 4; ++i) __builtin_memcpy(numbers + 4 * i, quarters[i] + 4 * k, 4 * sizeof(BFloat16));
    out[k] = load(numbers);
  }
}
PERSIMMON_INLINE int32_t storeWords(int8_t* words, const Vec& a, const Vec& b, int32_t bits) {
  float shifted[2 * kLanes];
  store(shifted, a);
  store(shifted + kLanes, b);
  int32_t sum = 0;
  for (int i = 0; i < 2 * kLanes; ++i) {
    int32_t number;
    __builtin_memcpy(&number, shifted + i, sizeof number);
    words[i / 8 * 8 + i % 2 * 4 + i % 8 / 2] = static_cast<int8_t>(number - bits);
    sum += number - bits;
  }
  return sum;
}
#endif

}  // namespace persimmon::cpu::PERSIMMON_ISA
