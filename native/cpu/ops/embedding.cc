// Embedding lookup: widens the rows of the table that the tokens name.
// Bytes per token: hidden * 4 written, and hidden * (2 or 4) read; of int8 and int4, whose tiles hold 16 rows
// side by side, one word of each 64-byte line, so that all lines of a tile are read: 16 * hidden, and half of
// that. A token reads 30,000 times as much for the products.
#include "cpu/isa.h"
#include "cpu/scaled_weights.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

/** Word number `word` of row `row % 16` of a tile whose words of 16 rows lie side by side. */
PERSIMMON_INLINE uint32_t wordOf(const uint8_t* tile, int64_t word, int64_t row) {
  uint32_t bits;
  __builtin_memcpy(&bits, tile + (word * kWeightTile + row % kWeightTile) * sizeof(bits), sizeof(bits));
  return bits;
}

/** Word 2w + h of 32 inputs holds, in its bytes 0-3, the inputs h, h + 2, h + 4 and h + 6 of eight. */
PERSIMMON_INLINE void int8Row(float* out, Weight table, int64_t row, int64_t hidden) {
  const int64_t groups = (hidden + kGroupInputs - 1) / kGroupInputs, words = groups * 2 * kGroupWords;
  const auto* tile = static_cast<const uint8_t*>(table.data) + row / kWeightTile * words * kWeightTile * 4;
  const float scale = static_cast<const float*>(table.scales)[row];
  for (int64_t word = 0; word < words; ++word) {
    const uint32_t bits = wordOf(tile, word, row);
    for (int byte = 0; byte < 4; ++byte) {
      const int64_t input = word / 2 * 8 + 2 * byte + word % 2;
      if (input >= hidden) continue;
      const int number = static_cast<int>(bits >> (8 * byte) & 255) - kInt8Zero;
      out[input] = static_cast<float>(number) * scale;
    }
  }
}

/** A word holds eight inputs in order. */
PERSIMMON_INLINE void int4Row(float* out, Weight table, int64_t row, int64_t hidden) {
  const int64_t groups = hidden / kGroupInputs, words = groups * kGroupWords;
  const auto* tile = static_cast<const uint8_t*>(table.data) + row / kWeightTile * words * kWeightTile * 4;
  const auto* scales = static_cast<const BFloat16*>(table.scales) + row / kWeightTile * groups * kWeightTile;
  for (int64_t word = 0; word < words; ++word) {
    const uint32_t bits = wordOf(tile, word, row);
    const float scale = loadScalar(scales + word / kGroupWords * kWeightTile + row % kWeightTile);
    for (int input = 0; input < 8; ++input) {
      out[word * 8 + input] =
          static_cast<float>(static_cast<int>(bits >> (4 * input) & 15) - kInt4Zero) * scale;
    }
  }
}

template <class F>
void forEachToken(ThreadPool& pool, float* out, const int32_t* ids, int64_t tokens, int64_t hidden, F&& row) {
  parallelChunks(pool, tokens, 8, [&](int64_t begin, int64_t end) {
    for (int64_t token = begin; token < end; ++token) row(out + token * hidden, ids[token]);
  });
}

}  // namespace

void embedding(ThreadPool& pool, float* out, Weight table, const int32_t* ids, int64_t tokens,
               int64_t hidden) {
  if (table.dtype == DType::kInt8) {
    forEachToken(pool, out, ids, tokens, hidden,
                 [&](float* target, int64_t row) { int8Row(target, table, row, hidden); });
  } else if (table.dtype == DType::kInt4) {
    forEachToken(pool, out, ids, tokens, hidden,
                 [&](float* target, int64_t row) { int4Row(target, table, row, hidden); });
  } else {
    withWeight(table, [&](auto* rows) {
      forEachToken(pool, out, ids, tokens, hidden, [&](float* target, int64_t row) {
        for (int64_t i = 0; i < hidden; i += kLanes) {
          storeUpTo(target + i, loadUpTo(rows + row * hidden + i, hidden - i), hidden - i);
        }
      });
    });
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
