// Weights as int8 with a scale for each row: symmetric, to nearest, as in Dettmers et al. 2022, "LLM.int8()",
// without its treatment of outliers. An element is off by half a scale at most, 0.4 % of the largest of its
// row.
#include <algorithm>
#include <bit>
#include <cstring>

#include "cpu/nearest.h"
#include "cpu/ops.h"

namespace persimmon::cpu {

namespace {

constexpr float kLargest = 127.0f;

/** Calls f(row, numbers of the row) for every row; each thread widens rows in a buffer of its own. */
template <class F>
void eachRow(ThreadPool& pool, Weight x, int64_t rows, int64_t columns, const F& f) {
  pool.reserveScratch(0, static_cast<size_t>(columns) * sizeof(float));
  ChunkQueue queue(rows, 1);
  pool.parallel([&](int part, int) {
    auto* numbers = static_cast<float*>(pool.threadScratch(part));
    int64_t row, next;
    while (queue.take(&row, &next)) {
      const auto* bytes = static_cast<const unsigned char*>(x.data);
      if (x.dtype == DType::kBFloat16) {
        for (int64_t i = 0; i < columns; ++i) {
          uint16_t half;
          std::memcpy(&half, bytes + 2 * (row * columns + i), sizeof half);
          const uint32_t bits = static_cast<uint32_t>(half) << 16;
          std::memcpy(numbers + i, &bits, sizeof bits);
        }
      } else {
        std::memcpy(numbers, bytes + 4 * row * columns, static_cast<size_t>(columns) * sizeof(float));
      }
      f(row, numbers);
    }
  });
}

}  // namespace

void quantizeRows(ThreadPool& pool, int8_t* out, float* scales, Weight x, int64_t rows, int64_t columns) {
  eachRow(pool, x, rows, columns, [=](int64_t row, const float* numbers) {
    int32_t magnitude = 0;
    for (int64_t i = 0; i < columns; ++i) magnitude = std::max(magnitude, magnitudeOf(numbers[i]));
    const auto largest = std::bit_cast<float>(magnitude);
    // Also where the quotient would be subnormal: dividing by it could overflow.
    const float scale = largest / kLargest < 1e-37f ? 0.0f : largest / kLargest;
    scales[row] = scale;
    int8_t* to = out + row * columns;
    if (scale == 0.0f) {
      std::memset(to, 0, static_cast<size_t>(columns));
      return;
    }
    for (int64_t i = 0; i < columns; ++i) to[i] = static_cast<int8_t>(nearestWhole(numbers[i] / scale));
  });
}

void dequantizeRows(ThreadPool& pool, float* out, const int8_t* x, const float* scales, int64_t rows,
                    int64_t columns) {
  parallelChunks(pool, rows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = row * columns; i < (row + 1) * columns; ++i) {
        out[i] = static_cast<float>(x[i]) * scales[row];
      }
    }
  });
}

}  // namespace persimmon::cpu
