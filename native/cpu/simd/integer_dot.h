// Sixteen int32 lanes with dot products of four unsigned by four signed bytes, and sixteen int4 numbers as a
// Vec. Integer sums are exact, so every version gives the same bits.
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
/** The four bytes at p in every lane. */
PERSIMMON_INLINE Bytes broadcastWord(const int8_t* p) {
  int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return {_mm512_set1_epi32(word)};
}
/** 128 numbers of four bits: the low halves of 64 bytes and the high ones, from 0 to 15. */
PERSIMMON_INLINE void loadHalves(const uint8_t* p, Bytes* low, Bytes* high) {
  const __m512i bytes = _mm512_loadu_si512(p), mask = _mm512_set1_epi8(15);
  *low = {_mm512_and_si512(bytes, mask)};
  *high = {_mm512_and_si512(_mm512_srli_epi16(bytes, 4), mask)};
}
PERSIMMON_INLINE Bytes loadBytes(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }

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

/** The numbers of 32 bytes, see scaled_weights.h: 64 outputs of one input. */
PERSIMMON_INLINE void loadOutputs(const uint8_t* p, Vec (&out)[4]) {
  const __m512 numbers = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
  for (int i = 0; i < 2; ++i) {
    const __m512i bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * i)));
    out[i] = {_mm512_permutexvar_ps(bytes, numbers)};  // which looks at the lowest four bits only
    out[i + 2] = {_mm512_permutexvar_ps(_mm512_srli_epi32(bytes, 4), numbers)};
  }
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
PERSIMMON_INLINE void loadHalves(const uint8_t* p, Bytes* low, Bytes* high) {
  const __m256i mask = _mm256_set1_epi8(15);
  for (int i = 0; i < 2; ++i) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32 * i));
    low->v[i] = _mm256_and_si256(bytes, mask);
    high->v[i] = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), mask);
  }
}
PERSIMMON_INLINE Bytes loadBytes(const uint8_t* p) {
  return {{_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
           _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))}};
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

PERSIMMON_INLINE void loadOutputs(const uint8_t* p, Vec (&out)[4]) {
  const __m256i mask = _mm256_set1_epi32(15), eight = _mm256_set1_epi32(kInt4Zero);
  const auto number = [&](__m256i x) {
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_and_si256(x, mask), eight));
  };
  for (int i = 0; i < 2; ++i) {
    __m256i bytes[2];
    for (int j = 0; j < 2; ++j) {
      bytes[j] = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 16 * i + 8 * j)));
    }
    out[i] = {number(bytes[0]), number(bytes[1])};
    out[i + 2] = {number(_mm256_srli_epi32(bytes[0], 4)), number(_mm256_srli_epi32(bytes[1], 4))};
  }
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
PERSIMMON_INLINE void loadHalves(const uint8_t* p, Bytes* low, Bytes* high) {
  for (int i = 0; i < 64; ++i) {
    low->v[i] = static_cast<int8_t>(p[i] & 15);
    high->v[i] = static_cast<int8_t>(p[i] >> 4);
  }
}
PERSIMMON_INLINE Bytes loadBytes(const uint8_t* p) {
  Bytes bytes;
  __builtin_memcpy(bytes.v, p, sizeof bytes.v);
  return bytes;
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

PERSIMMON_INLINE void loadOutputs(const uint8_t* p, Vec (&out)[4]) {
  float values[64];
  for (int i = 0; i < 32; ++i) {
    values[i] = static_cast<float>((p[i] & 15) - kInt4Zero);
    values[i + 32] = static_cast<float>((p[i] >> 4) - kInt4Zero);
  }
  for (int i = 0; i < 4; ++i) out[i] = load(values + 16 * i);
}

#endif

#if !defined(__AVX512F__)
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
