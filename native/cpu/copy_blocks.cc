// Copies between places at regular distances: what cutting and joining tensors along an axis comes to.
#include <algorithm>
#include <cstring>

#include "cpu/ops.h"

namespace persimmon::cpu {

void copyBlocks(ThreadPool& pool, uint8_t* out, int64_t outStride, const uint8_t* x, int64_t stride,
                int64_t bytes, int64_t blocks) {
  // 64 KiB take about as long as waking a thread.
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(bytes, 1));
  parallelChunks(pool, blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      std::memcpy(out + i * outStride, x + i * stride, static_cast<size_t>(bytes));
    }
  });
}

}  // namespace persimmon::cpu
