// The memory of one stream. Blocks are handed out and taken back on the JavaScript thread while the stream's
// thread is still running earlier commands. That is safe because a stream runs its commands in order:
// whatever writes a reused block was enqueued after everything that read its former content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

#include "mapped_memory.h"

namespace persimmon {

struct ArenaStatistics {
  size_t bytesInUse = 0;   // handed out
  size_t bytesCached = 0;  // free, kept for the next request
  size_t bytesPeak = 0;    // largest bytesInUse so far
};

class Arena {
 public:
  // `allocate` gives memory that the arena has not got. Memory given back beyond `cacheLimit` bytes goes to
  // `discard`, which must keep it until the stream has run all that was enqueued before.
  Arena(size_t cacheLimit, std::function<MappedMemory(size_t)> allocate,
        std::function<void(MappedMemory)> discard);

  // Uninitialised memory of at least `bytes`, aligned to a page. Empty if the system has none left.
  MappedMemory take(size_t bytes);
  void giveBack(MappedMemory memory);
  ArenaStatistics statistics() const;
  // Calls `use` with each block that is free now.
  void forEachFree(const std::function<void(uint8_t* data, size_t bytes)>& use) const;

 private:
  const size_t cacheLimit_;
  const std::function<MappedMemory(size_t)> allocate_;
  const std::function<void(MappedMemory)> discard_;
  mutable std::mutex mutex_;
  std::multimap<size_t, MappedMemory> free_;
  ArenaStatistics statistics_;
};

}  // namespace persimmon
