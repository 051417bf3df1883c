// Weights as int4 in groups of 32 inputs, rounded as llama.cpp's Q4_0 does: the number of largest magnitude
// becomes -8. The scale is rounded to bfloat16 first, so that this costs nothing more.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/nearest.h"
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

void readGroup(float* numbers, Weight x, int64_t first) {
  const auto* bytes = static_cast<const unsigned char*>(x.data);
  if (x.dtype == DType::kFloat32) {
    std::memcpy(numbers, bytes + 4 * first, kGroupInputs * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < kGroupInputs; ++i) {
    uint16_t half;
    std::memcpy(&half, bytes + 2 * (first + i), sizeof half);
    numbers[i] = widened(half);
  }
}

/** The number of largest magnitude, the first of several. */
float largestOf(const float* numbers) {
  int32_t magnitudes[kGroupInputs], largest = 0;
  for (int64_t i = 0; i < kGroupInputs; ++i) magnitudes[i] = magnitudeOf(numbers[i]);
  for (int64_t i = 0; i < kGroupInputs; ++i) largest = std::max(largest, magnitudes[i]);
  return numbers[std::find(magnitudes, magnitudes + kGroupInputs, largest) - magnitudes];
}

uint16_t quantizeGroup(uint8_t* out, const float* numbers) {
  const float largest = largestOf(numbers);
  // Also where the quotient would be subnormal: dividing by it could overflow.
  const uint16_t half = std::fabs(largest) < 1e-36f ? uint16_t{0} : rounded(largest / -8.0f);
  const float scale = widened(half);
  if (scale == 0.0f) {
    std::memset(out, kInt4Zero | kInt4Zero << 4, kGroupInputs / 2);
    return half;
  }
  int32_t nibbles[kGroupInputs];
  for (int64_t i = 0; i < kGroupInputs; ++i)
    nibbles[i] = nearestWhole(std::min(std::max(numbers[i] / scale, -8.0f), 7.0f)) + kInt4Zero;
  for (int64_t i = 0; i < kGroupInputs; i += 2)
    out[i / 2] = static_cast<uint8_t>(nibbles[i] | nibbles[i + 1] << 4);
  return half;
}

}  // namespace

void quantizeGroups(ThreadPool& pool, uint8_t* out, uint16_t* scales, Weight x, int64_t rows,
                    int64_t columns) {
  const int64_t groups = columns / kGroupInputs;
  parallelChunks(pool, rows, 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin * groups; i < end * groups; ++i) {
      float numbers[kGroupInputs];
      readGroup(numbers, x, i * kGroupInputs);
      scales[i] = quantizeGroup(out + i * (kGroupInputs / 2), numbers);
    }
  });
}

void dequantizeGroups(ThreadPool& pool, float* out, const uint8_t* x, const uint16_t* scales, int64_t rows,
                      int64_t columns) {
  const int64_t groups = columns / kGroupInputs;
  parallelChunks(pool, rows, 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin * groups; i < end * groups; ++i) {
      const float scale = widened(scales[i]);
      for (int64_t j = 0; j < kGroupInputs; ++j) {
        const int number = x[(i * kGroupInputs + j) / 2] >> (j % 2 ? 4 : 0) & 15;
        // + 0: a negative scale makes no -0.
        out[i * kGroupInputs + j] = static_cast<float>(number - kInt4Zero) * scale + 0.0f;
      }
    }
  });
}

}  // namespace persimmon::cpu
