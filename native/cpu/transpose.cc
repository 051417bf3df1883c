// The last two axes exchanged, in tiles of which both sides stay in the first-level cache.
#include <algorithm>

#include "cpu/ops.h"

namespace persimmon::cpu {

namespace {

constexpr int64_t kTile = 32;

}  // namespace

void transpose(ThreadPool& pool, float* out, const float* x, int64_t batch, int64_t rows, int64_t columns) {
  const int64_t bands = (rows + kTile - 1) / kTile;
  // A band of 32 rows is a piece of work when it has this many columns.
  const int64_t grain = columns >= 512 ? 1 : 512 / std::max<int64_t>(columns, 1);
  parallelChunks(pool, batch * bands, grain, [&](int64_t first, int64_t last) {
    for (int64_t band = first; band < last; ++band) {
      const float* from = x + band / bands * rows * columns;
      float* to = out + band / bands * rows * columns;
      const int64_t begin = band % bands * kTile, end = std::min(begin + kTile, rows);
      for (int64_t left = 0; left < columns; left += kTile) {
        const int64_t right = std::min(left + kTile, columns);
        for (int64_t column = left; column < right; ++column) {
          for (int64_t row = begin; row < end; ++row) to[column * rows + row] = from[row * columns + column];
        }
      }
    }
  });
}

}  // namespace persimmon::cpu
