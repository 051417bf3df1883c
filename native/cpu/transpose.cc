// The last two axes exchanged, in tiles of which both sides stay in the first-level cache.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "cpu/ops.h"

namespace persimmon::cpu {

namespace {

constexpr int64_t kTile = 32;

/** Element i of weights, which may be unaligned. */
template <class T>
inline T element(const void* weights, int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const unsigned char*>(weights) + i * static_cast<int64_t>(sizeof(T)),
              sizeof value);
  return value;
}

template <class T>
void transposeElements(ThreadPool& pool, T* out, const void* x, int64_t batch, int64_t rows,
                       int64_t columns) {
  const int64_t bands = (rows + kTile - 1) / kTile;
  // A band of 32 rows is a piece of work when it has this many columns.
  const int64_t grain = columns >= 512 ? 1 : 512 / std::max<int64_t>(columns, 1);
  parallelChunks(pool, batch * bands, grain, [&](int64_t first, int64_t last) {
    for (int64_t band = first; band < last; ++band) {
      const int64_t from = band / bands * rows * columns;
      T* to = out + band / bands * rows * columns;
      const int64_t begin = band % bands * kTile, end = std::min(begin + kTile, rows);
      for (int64_t left = 0; left < columns; left += kTile) {
        const int64_t right = std::min(left + kTile, columns);
        for (int64_t column = left; column < right; ++column) {
          for (int64_t row = begin; row < end; ++row)
            to[column * rows + row] = element<T>(x, from + row * columns + column);
        }
      }
    }
  });
}

}  // namespace

void transpose(ThreadPool& pool, float* out, const float* x, int64_t batch, int64_t rows, int64_t columns) {
  transposeElements(pool, out, x, batch, rows, columns);
}

void transposeWeight(ThreadPool& pool, void* out, Weight x, int64_t rows, int64_t columns) {
  if (x.dtype == DType::kBFloat16) {
    transposeElements(pool, static_cast<uint16_t*>(out), x.data, 1, rows, columns);
  } else if (x.dtype == DType::kInt8) {
    transposeElements(pool, static_cast<uint8_t*>(out), x.data, 1, rows, columns);
  } else {
    transposeElements(pool, static_cast<uint32_t*>(out), x.data, 1, rows, columns);
  }
}

void countNonFiniteWeights(ThreadPool& pool, int32_t* out, Weight x, int64_t count) {
  std::atomic<int64_t> found{0};
  parallelChunks(pool, count, 1 << 16, [&](int64_t begin, int64_t end) {
    int64_t here = 0;
    if (x.dtype == DType::kBFloat16) {
      for (int64_t i = begin; i < end; ++i) here += (element<uint16_t>(x.data, i) & 0x7f80) == 0x7f80;
    } else {
      for (int64_t i = begin; i < end; ++i) here += (element<uint32_t>(x.data, i) & 0x7f800000) == 0x7f800000;
    }
    found += here;
  });
  *out = static_cast<int32_t>(std::min<int64_t>(found, std::numeric_limits<int32_t>::max()));
}

}  // namespace persimmon::cpu
