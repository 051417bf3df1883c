// The memory of one stream. Blocks are handed out and taken back on the JavaScript thread while the stream's
// thread is still running earlier commands. That is safe because a stream runs its commands in order:
// whatever writes a reused block was enqueued after everything that read its former content.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

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
  // `discard`, which must keep it until the stream has run all that was enqueued before. The next `rest`
  // takes after a block was given back do not get it.
  Arena(size_t cacheLimit, std::function<MappedMemory(size_t)> allocate,
        std::function<void(MappedMemory)> discard, int rest = 0);

  // Uninitialised memory of at least `bytes`, aligned to a page. Empty if the system has none left.
  MappedMemory take(size_t bytes);
  void giveBack(MappedMemory memory);
  // Discards the blocks that are free now. False where there are none.
  bool discardFree();
  ArenaStatistics statistics() const;
  // Calls `use` with each block that is free now.
  void forEachFree(const std::function<void(uint8_t* data, size_t bytes)>& use) const;

 private:
  void freeRested();

  const size_t cacheLimit_;
  const std::function<MappedMemory(size_t)> allocate_;
  const std::function<void(MappedMemory)> discard_;
  mutable std::mutex mutex_;
  const int rest_;
  int64_t takes_ = 0;
  // Given back lately: after how many takes each is free, the earliest first.
  std::deque<std::pair<int64_t, MappedMemory>> resting_;
  std::multimap<size_t, MappedMemory> free_;
  ArenaStatistics statistics_;
};

}  // namespace persimmon
