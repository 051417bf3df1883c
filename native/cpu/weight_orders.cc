// The orders of int8 and int4 weights in memory, one made from the other (scaled_weights.h).
#include <cstring>

#include "cpu/ops.h"

namespace persimmon::cpu {

namespace {

inline int64_t roundedUp(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

/** Elements of `bytes` bytes of 16 outputs side by side, or back; there are `length` of each output. Those of
 * outputs past the end get the byte `empty`. Rows may be unaligned: they lie in mapped files. */
template <bool toTiles, size_t bytes>
void exchangeTiles(ThreadPool& pool, uint8_t* tiles, uint8_t* rows, int64_t count, int64_t length,
                   uint8_t empty) {
  constexpr auto kBytes = static_cast<int64_t>(bytes);
  parallelChunks(pool, (count + kWeightTile - 1) / kWeightTile, 1, [=](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      for (int64_t i = 0; i < length; ++i) {
        for (int64_t n = 0; n < kWeightTile; ++n) {
          const int64_t row = tile * kWeightTile + n;
          uint8_t* inTile = tiles + ((tile * length + i) * kWeightTile + n) * kBytes;
          uint8_t* inRow = rows + (row * length + i) * kBytes;
          if constexpr (toTiles) {
            if (row < count) {
              std::memcpy(inTile, inRow, bytes);
            } else {
              std::memset(inTile, empty, bytes);
            }
          } else if (row < count) {
            std::memcpy(inRow, inTile, bytes);
          }
        }
      }
    }
  });
}

/** Calls f(place in the tiles, row, column) for every place; rows and columns go to the end of the last tile.
 */
template <class F>
void exchangeInt8Tiles(ThreadPool& pool, int64_t rows, int64_t columns, const F& f) {
  const int64_t words = roundedUp(columns, kGroupInputs) / 8;
  parallelChunks(pool, roundedUp(rows, kWeightTile) / kWeightTile, 1, [=](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      int64_t place = tile * words * 8 * kWeightTile;
      for (int64_t word = 0; word < words; ++word) {
        for (int64_t half = 0; half < 2; ++half) {
          for (int64_t n = 0; n < kWeightTile; ++n) {
            for (int64_t i = half; i < 8; i += 2) f(place++, tile * kWeightTile + n, word * 8 + i);
          }
        }
      }
    }
  });
}

/** Groups of 32 inputs of `inputs`, from rows or to rows. */
template <bool toInputs>
void exchangeInputs(ThreadPool& pool, Int4Matrix inputs, Int4Matrix byRow, int64_t rows, int64_t columns) {
  const int64_t groups = columns / kGroupInputs, outputs = roundedUp(rows, kInt4Unit);
  const auto rowGroup = [=](int64_t row, int64_t g) {
    return byRow.elements + (row * groups + g) * (kGroupInputs / 2);
  };
  parallelChunks(pool, groups, 1, [=](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      uint8_t* group = inputs.elements + g * kGroupInputs * outputs / 2;
      uint16_t* scales = inputs.scales + g * outputs;
      if constexpr (toInputs) {
        std::memset(group, kInt4Zero | kInt4Zero << 4, static_cast<size_t>(kGroupInputs * outputs / 2));
        std::memset(scales, 0, static_cast<size_t>(outputs) * sizeof(uint16_t));
      }
      for (int64_t row = 0; row < rows; ++row) {
        uint8_t* plain = rowGroup(row, g);
        uint8_t* place = group + row / kInt4Unit * (kInt4Unit / 2) + row % (kInt4Unit / 2);
        const int shift = row % kInt4Unit >= kInt4Unit / 2 ? 4 : 0;
        for (int64_t i = 0; i < kGroupInputs; ++i) {
          uint8_t& there = place[i * outputs / 2];
          const int plainShift = i % 2 ? 4 : 0;
          if constexpr (toInputs) {
            const int number = plain[i / 2] >> plainShift & 15;
            there = static_cast<uint8_t>((there & (15 << (4 - shift))) | number << shift);
          } else {
            const int number = there >> shift & 15;
            plain[i / 2] =
                static_cast<uint8_t>((plain[i / 2] & (15 << (4 - plainShift))) | number << plainShift);
          }
        }
        if constexpr (toInputs) {
          scales[row] = byRow.scales[row * groups + g];
        } else {
          byRow.scales[row * groups + g] = scales[row];
        }
      }
    }
  });
}

}  // namespace

int64_t int4Scales(WeightOrder order, int64_t rows, int64_t columns) {
  const int64_t padded = order == WeightOrder::kRows
                             ? rows
                             : roundedUp(rows, order == WeightOrder::kTiles ? kWeightTile : kInt4Unit);
  return padded * (columns / kGroupInputs);
}

int64_t int4Bytes(WeightOrder order, int64_t rows, int64_t columns) {
  return int4Scales(order, rows, columns) * (kGroupInputs / 2);
}

int64_t int8TileBytes(int64_t rows, int64_t columns) {
  return roundedUp(rows, kWeightTile) * roundedUp(columns, kGroupInputs);
}

void int8ToTiles(ThreadPool& pool, uint8_t* tiles, const int8_t* x, int64_t rows, int64_t columns) {
  exchangeInt8Tiles(pool, rows, columns, [=](int64_t place, int64_t row, int64_t column) {
    const bool inside = row < rows && column < columns;
    tiles[place] = static_cast<uint8_t>((inside ? x[row * columns + column] : 0) + kInt8Zero);
  });
}

void int8FromTiles(ThreadPool& pool, int8_t* out, const uint8_t* tiles, int64_t rows, int64_t columns) {
  exchangeInt8Tiles(pool, rows, columns, [=](int64_t place, int64_t row, int64_t column) {
    if (row < rows && column < columns)
      out[row * columns + column] = static_cast<int8_t>(tiles[place] - kInt8Zero);
  });
}

void arrangeGroups(ThreadPool& pool, Int4Matrix out, WeightOrder to, Int4Matrix x, WeightOrder from,
                   int64_t rows, int64_t columns) {
  if (rows == 0 || columns == 0) return;  // no order, and pointers to nothing
  const int64_t groups = columns / kGroupInputs;
  const auto bytes = [](uint16_t* scales) { return reinterpret_cast<uint8_t*>(scales); };
  constexpr uint8_t kZeros = kInt4Zero | kInt4Zero << 4;
  if (to == from) {
    std::memcpy(out.elements, x.elements, static_cast<size_t>(int4Bytes(to, rows, columns)));
    std::memcpy(out.scales, x.scales, static_cast<size_t>(int4Scales(to, rows, columns)) * sizeof(uint16_t));
  } else if (to == WeightOrder::kTiles) {
    exchangeTiles<true, 4>(pool, out.elements, x.elements, rows, groups * kGroupWords, kZeros);
    exchangeTiles<true, 2>(pool, bytes(out.scales), bytes(x.scales), rows, groups, 0);
  } else if (from == WeightOrder::kTiles) {
    exchangeTiles<false, 4>(pool, x.elements, out.elements, rows, groups * kGroupWords, kZeros);
    exchangeTiles<false, 2>(pool, bytes(x.scales), bytes(out.scales), rows, groups, 0);
  } else if (to == WeightOrder::kInputs) {
    exchangeInputs<true>(pool, out, x, rows, columns);
  } else {
    exchangeInputs<false>(pool, x, out, rows, columns);
  }
}

}  // namespace persimmon::cpu
