// The read bandwidth of this machine, as the operations could at best use it.
#include <algorithm>
#include <atomic>
#include <chrono>

#include "cpu/internal.h"
#include "cpu/ops.h"

namespace persimmon::cpu {

namespace {

double bandwidthOnce(ThreadPool& pool, const unsigned char* data, size_t bytes, bool fetch) {
  std::atomic<uint32_t> any{0};
  const auto begin = std::chrono::steady_clock::now();
  // In pieces of 256 KiB, as the first matrix-vector products had them, Zen 5 reads an eighth less.
  parallelChunks(pool, static_cast<int64_t>(bytes), 1 << 20, [&](int64_t first, int64_t last) {
    any.fetch_or(readBytes(data + first, static_cast<size_t>(last - first), fetch),
                 std::memory_order_relaxed);
  });
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
  return static_cast<double>(bytes) / elapsed.count() * 1e-9;
}

}  // namespace

double readBandwidth(ThreadPool& pool, const void* data, size_t bytes) {
  // One half as the processor fetches it by itself, the other with fetches 4 KiB ahead: which is faster
  // depends on the machine (two Zen 5 servers: 42 and 46 GB/s on one, 63 and 52 on the other).
  const auto* begin = static_cast<const unsigned char*>(data);
  const size_t half = bytes / 2;
  return std::max(bandwidthOnce(pool, begin, half, false),
                  bandwidthOnce(pool, begin + half, bytes - half, true));
}

}  // namespace persimmon::cpu
