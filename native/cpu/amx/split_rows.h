// Activations for tiles of bfloat16: each float32 is the sum of three bfloat16 numbers, its first, second and
// last eight binary digits, so that nothing of it is lost. Their products with a bfloat16 weight are exact in
// float32. (Of numbers below 2^-103 the last digits are subnormal, and count as zero.)
#pragma once

#include "cpu/amx/tile_linear.h"
#include "cpu/ops/linear_pieces.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Each part in the upper half of its lane, the lower half zero. */
struct SplitVector {
  __m512i parts[kParts];
};

PERSIMMON_INLINE SplitVector split(__m512 x) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000u)), bits = _mm512_castps_si512(x);
  const __m512i exponent = _mm512_set1_epi32(0x7F800000);
  const __mmask16 finite = _mm512_cmpneq_epi32_mask(_mm512_and_si512(bits, exponent), exponent);
  // A NaN stays one without its lower half.
  const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
  const __m512i first =
      _mm512_mask_or_epi32(_mm512_and_si512(bits, upper), nan, bits, _mm512_set1_epi32(0x00400000));
  const __m512i kept = _mm512_and_si512(first, upper);
  const __m512 rest = _mm512_maskz_sub_ps(finite, x, _mm512_castsi512_ps(kept));
  const __m512i second = _mm512_and_si512(_mm512_castps_si512(rest), upper);
  const __m512 last = _mm512_sub_ps(rest, _mm512_castsi512_ps(second));
  return {{kept, second, _mm512_castps_si512(last)}};
}

/** The upper halves of both, in order: 32 bfloat16. */
PERSIMMON_INLINE __m512i upperHalves(__m512i a, __m512i b) {
  const __m256i low = _mm512_cvtepi32_epi16(_mm512_srli_epi32(a, 16));
  const __m256i high = _mm512_cvtepi32_epi16(_mm512_srli_epi32(b, 16));
  return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/** Row `row` of the `rows` rows of a panel; inFeatures is a multiple of 32. */
inline void splitRow(uint16_t* panel, const float* x, int64_t row, int64_t rows, int64_t inFeatures) {
  const __m512i places = _mm512_mullo_epi32(_mm512_set1_epi32(static_cast<int>(rows)), lanes());
  for (int64_t k = 0; k < inFeatures; k += kStep) {
    const SplitVector a = split(_mm512_loadu_ps(x + k)), b = split(_mm512_loadu_ps(x + k + 16));
    for (int part = 0; part < kParts; ++part) {
      uint16_t* target = panel + (k * kParts + part * kStep) * rows + 2 * row;
      const __m512i both = upperHalves(a.parts[part], b.parts[part]);
      if (rows == 1) {
        _mm512_storeu_si512(target, both);
      } else {
        _mm512_i32scatter_epi32(target, places, both, 4);
      }
    }
  }
}

/** The panels of x [rows, inFeatures], in the pool's shared scratch. splitRow(panel, x, row, rows,
 * inFeatures) splits one row. */
template <class SplitRow>
const uint16_t* splitRows(ThreadPool& pool, const float* x, int64_t rows, int64_t inFeatures,
                          const SplitRow& splitRow) {
  pool.reserveScratch(static_cast<size_t>(panelParts(rows, inFeatures)) * sizeof(uint16_t), 0);
  auto* parts = static_cast<uint16_t*>(pool.sharedScratch());
  parallelChunks(pool, rows, 4, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t first = row / kTile * kTile, inPanel = rows - first < kTile ? rows - first : kTile;
      splitRow(parts + panelParts(first, inFeatures), x + row * inFeatures, row - first, inPanel, inFeatures);
    }
  });
  return parts;
}

/**
 * Whether tiles can take a product, and it is large enough: the bundled model (hidden 256) decodes 1,120
 * tokens/s and prefills 13,100 with vectors, 990 and 9,700 with tiles. By the shape alone, so that it is the
 * same for any number of rows.
 */
inline bool fitsTiles(Weight weight, int64_t inFeatures, int64_t outFeatures) {
  return weight.dtype == DType::kBFloat16 && inFeatures > 0 && inFeatures % kStep == 0 &&
         outFeatures % kTile == 0 && inFeatures * outFeatures * 2 > kOneThreadBytes;
}

// Up to here the weights stream from memory as they lie.
constexpr int64_t kStreamedRows = 2 * kTile;
// Rows that read the weights together.
constexpr int64_t kRowsAtOnce = 256;

/** run(problem) for the rows of x in blocks. */
template <class F>
void eachBlockOfRows(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                     int64_t inFeatures, int64_t outFeatures, const F& run) {
  const int64_t blocks = (rows + kRowsAtOnce - 1) / kRowsAtOnce;
  pool.weightTraffic().read += blocks * inFeatures * outFeatures * 2;
  for (int64_t row = 0; row < rows; row += kRowsAtOnce) {
    const int64_t count = rows - row < kRowsAtOnce ? rows - row : kRowsAtOnce;
    const uint16_t* parts = splitRows(pool, x + row * inFeatures, count, inFeatures, splitRow);
    run(TileLinear{out + row * outFeatures, parts, static_cast<const uint8_t*>(weight.data), bias, count,
                   inFeatures, outFeatures});
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
