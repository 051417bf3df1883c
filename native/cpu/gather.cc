// Columns of each row by index.
#include <limits>

#include "cpu/ops.h"

namespace persimmon::cpu {

void gather(ThreadPool& pool, float* out, const float* x, const int32_t* columns, int64_t rows, int64_t width,
            int64_t count) {
  const int64_t grain = count >= 8192 ? 1 : 8192 / (count > 0 ? count : 1);
  parallelChunks(pool, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < count; ++i) {
        const bool isInside = columns[i] >= 0 && columns[i] < width;
        out[row * count + i] =
            isInside ? x[row * width + columns[i]] : std::numeric_limits<float>::quiet_NaN();
      }
    }
  });
}

}  // namespace persimmon::cpu
