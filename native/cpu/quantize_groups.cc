// Weights as int4 in groups of 32 inputs, rounded as llama.cpp's Q4_0 does: the number of largest magnitude
// becomes -8. The scale is rounded to bfloat16 first, so that this costs nothing more.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/ops.h"

namespace persimmon::cpu {

namespace {

inline float widened(uint16_t half) {
  const uint32_t bits = static_cast<uint32_t>(half) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/** To nearest, to even between two. */
inline uint16_t rounded(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline int64_t roundedUp(int64_t count, int64_t to) { return (count + to - 1) / to * to; }

void readGroup(float* numbers, Weight x, int64_t first) {
  const auto* bytes = static_cast<const unsigned char*>(x.data);
  if (x.dtype == DType::kFloat32) {
    std::memcpy(numbers, bytes + 4 * first, kInt4Group * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < kInt4Group; ++i) {
    uint16_t half;
    std::memcpy(&half, bytes + 2 * (first + i), sizeof half);
    numbers[i] = widened(half);
  }
}

uint16_t quantizeGroup(uint8_t* out, const float* numbers) {
  float largest = 0.0f;
  for (int64_t i = 0; i < kInt4Group; ++i) {
    if (std::fabs(numbers[i]) > std::fabs(largest)) largest = numbers[i];
  }
  // Also where the quotient would be subnormal: dividing by it could overflow.
  const uint16_t half = std::fabs(largest) < 1e-36f ? uint16_t{0} : rounded(largest / -8.0f);
  const float scale = widened(half);
  for (int64_t i = 0; i < kInt4Group; i += 2) {
    int pair[2];
    for (int64_t j = 0; j < 2; ++j) {
      const float quotient = scale == 0.0f ? 0.0f : std::nearbyint(numbers[i + j] / scale);
      pair[j] = static_cast<int>(std::min(std::max(quotient, -8.0f), 7.0f)) + kInt4Zero;
    }
    out[i / 2] = static_cast<uint8_t>(pair[0] | pair[1] << 4);
  }
  return half;
}

/** Elements of `bytes` bytes of 16 outputs side by side, or back; there are `length` of each output. Those of
 * outputs past the end get the byte `empty`. Rows may be unaligned: they lie in mapped files. */
template <bool toTiles, size_t bytes>
void exchangeTiles(ThreadPool& pool, uint8_t* tiles, uint8_t* rows, int64_t count, int64_t length,
                   uint8_t empty) {
  constexpr auto kBytes = static_cast<int64_t>(bytes);
  parallelChunks(pool, (count + kInt4Tile - 1) / kInt4Tile, 1, [=](int64_t begin, int64_t end) {
    for (int64_t tile = begin; tile < end; ++tile) {
      for (int64_t i = 0; i < length; ++i) {
        for (int64_t n = 0; n < kInt4Tile; ++n) {
          const int64_t row = tile * kInt4Tile + n;
          uint8_t* inTile = tiles + ((tile * length + i) * kInt4Tile + n) * kBytes;
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

/** Groups of 32 inputs of `inputs`, from rows or to rows. */
template <bool toInputs>
void exchangeInputs(ThreadPool& pool, Int4Matrix inputs, Int4Matrix byRow, int64_t rows, int64_t columns) {
  const int64_t groups = columns / kInt4Group, outputs = roundedUp(rows, kInt4Unit);
  const auto rowGroup = [=](int64_t row, int64_t g) {
    return byRow.elements + (row * groups + g) * (kInt4Group / 2);
  };
  parallelChunks(pool, groups, 1, [=](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g) {
      uint8_t* group = inputs.elements + g * kInt4Group * outputs / 2;
      uint16_t* scales = inputs.scales + g * outputs;
      if constexpr (toInputs) {
        std::memset(group, kInt4Zero | kInt4Zero << 4, static_cast<size_t>(kInt4Group * outputs / 2));
        std::memset(scales, 0, static_cast<size_t>(outputs) * sizeof(uint16_t));
      }
      for (int64_t row = 0; row < rows; ++row) {
        uint8_t* plain = rowGroup(row, g);
        uint8_t* place = group + row / kInt4Unit * (kInt4Unit / 2) + row % (kInt4Unit / 2);
        const int shift = row % kInt4Unit >= kInt4Unit / 2 ? 4 : 0;
        for (int64_t i = 0; i < kInt4Group; ++i) {
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

int64_t int4Scales(Int4Order order, int64_t rows, int64_t columns) {
  const int64_t padded =
      order == Int4Order::kRows ? rows : roundedUp(rows, order == Int4Order::kTiles ? kInt4Tile : kInt4Unit);
  return padded * (columns / kInt4Group);
}

int64_t int4Bytes(Int4Order order, int64_t rows, int64_t columns) {
  return int4Scales(order, rows, columns) * (kInt4Group / 2);
}

void quantizeGroups(ThreadPool& pool, uint8_t* out, uint16_t* scales, Weight x, int64_t rows,
                    int64_t columns) {
  const int64_t groups = columns / kInt4Group;
  parallelChunks(pool, rows, 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin * groups; i < end * groups; ++i) {
      float numbers[kInt4Group];
      readGroup(numbers, x, i * kInt4Group);
      scales[i] = quantizeGroup(out + i * (kInt4Group / 2), numbers);
    }
  });
}

void dequantizeGroups(ThreadPool& pool, float* out, const uint8_t* x, const uint16_t* scales, int64_t rows,
                      int64_t columns) {
  const int64_t groups = columns / kInt4Group;
  parallelChunks(pool, rows, 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin * groups; i < end * groups; ++i) {
      const float scale = widened(scales[i]);
      for (int64_t j = 0; j < kInt4Group; ++j) {
        const int number = x[(i * kInt4Group + j) / 2] >> (j % 2 ? 4 : 0) & 15;
        // + 0: a negative scale makes no -0.
        out[i * kInt4Group + j] = static_cast<float>(number - kInt4Zero) * scale + 0.0f;
      }
    }
  });
}

void arrangeGroups(ThreadPool& pool, Int4Matrix out, Int4Order to, Int4Matrix x, Int4Order from, int64_t rows,
                   int64_t columns) {
  const int64_t groups = columns / kInt4Group;
  const auto bytes = [](uint16_t* scales) { return reinterpret_cast<uint8_t*>(scales); };
  constexpr uint8_t kZeros = kInt4Zero | kInt4Zero << 4;
  if (to == from) {
    std::memcpy(out.elements, x.elements, static_cast<size_t>(int4Bytes(to, rows, columns)));
    std::memcpy(out.scales, x.scales, static_cast<size_t>(int4Scales(to, rows, columns)) * sizeof(uint16_t));
  } else if (to == Int4Order::kTiles) {
    exchangeTiles<true, 4>(pool, out.elements, x.elements, rows, groups * kInt4Words, kZeros);
    exchangeTiles<true, 2>(pool, bytes(out.scales), bytes(x.scales), rows, groups, 0);
  } else if (from == Int4Order::kTiles) {
    exchangeTiles<false, 4>(pool, x.elements, out.elements, rows, groups * kInt4Words, kZeros);
    exchangeTiles<false, 2>(pool, bytes(x.scales), bytes(out.scales), rows, groups, 0);
  } else if (to == Int4Order::kInputs) {
    exchangeInputs<true>(pool, out, x, rows, columns);
  } else {
    exchangeInputs<false>(pool, x, out, rows, columns);
  }
}

}  // namespace persimmon::cpu
