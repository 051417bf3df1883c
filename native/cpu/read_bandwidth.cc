// The read bandwidth of this machine, as the operations could at best use it.
#include <atomic>
#include <chrono>

#include "cpu/internal.h"
#include "cpu/ops.h"

namespace persimmon::cpu {

double readBandwidth(ThreadPool& pool, const void* data, size_t bytes) {
  std::atomic<uint32_t> any{0};
  const auto begin = std::chrono::steady_clock::now();
  // Pieces of 256 KiB, as a matrix-vector product takes them.
  parallelChunks(pool, static_cast<int64_t>(bytes), 256 << 10, [&](int64_t first, int64_t last) {
    const uint32_t read =
        readBytes(static_cast<const unsigned char*>(data) + first, static_cast<size_t>(last - first));
    any.fetch_or(read, std::memory_order_relaxed);
  });
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(bytes) / elapsed.count() * 1e-9;
}

}  // namespace persimmon::cpu
