#include "arena.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace persimmon {

namespace {

// Sizes are rounded so that a prompt of 700 tokens reuses the blocks of one of 690: to 4 KiB below 64 KiB,
// above that to an eighth of the next lower power of two (at most 12.5 % is lost).
size_t roundedSize(size_t bytes) {
  // More than any address space has; rounding it up would overflow.
  if (bytes > (size_t{1} << 60)) return bytes;
  size_t step = 4096;
  while (step * 16 <= bytes) step *= 2;
  return std::max(step, (bytes + step - 1) / step * step);
}

}  // namespace

Arena::Arena(size_t cacheLimit, std::function<MappedMemory(size_t)> allocate,
             std::function<void(MappedMemory)> discard, int rest)
    : cacheLimit_(cacheLimit), allocate_(std::move(allocate)), discard_(std::move(discard)), rest_(rest) {}

MappedMemory Arena::take(size_t bytes) {
  const size_t size = roundedSize(bytes);
  MappedMemory memory;
  {
    std::lock_guard lock(mutex_);
    freeRested();
    ++takes_;
    auto found = free_.lower_bound(size);
    // A block more than twice as large would be wasted on this request.
    if (found != free_.end() && found->first <= 2 * size) {
      memory = std::move(found->second);
      statistics_.bytesCached -= memory.bytes();
      free_.erase(found);
    }
  }
  if (!memory) memory = allocate_(size);
  if (!memory) return memory;
  std::lock_guard lock(mutex_);
  statistics_.bytesInUse += memory.bytes();
  statistics_.bytesPeak = std::max(statistics_.bytesPeak, statistics_.bytesInUse);
  return memory;
}

void Arena::giveBack(MappedMemory memory) {
  std::vector<MappedMemory> surplus;
  {
    std::lock_guard lock(mutex_);
    statistics_.bytesInUse -= memory.bytes();
    statistics_.bytesCached += memory.bytes();
    resting_.emplace_back(takes_ + rest_, std::move(memory));
    freeRested();
    while (statistics_.bytesCached > cacheLimit_ && !free_.empty()) {
      auto largest = std::prev(free_.end());
      statistics_.bytesCached -= largest->first;
      surplus.push_back(std::move(largest->second));
      free_.erase(largest);
    }
  }
  for (auto& block : surplus) discard_(std::move(block));
}

bool Arena::discardFree() {
  std::multimap<size_t, MappedMemory> blocks;
  {
    std::lock_guard lock(mutex_);
    blocks.swap(free_);
    for (const auto& [size, block] : blocks) statistics_.bytesCached -= size;
  }
  for (auto& [size, block] : blocks) discard_(std::move(block));
  return !blocks.empty();
}

void Arena::freeRested() {
  for (; !resting_.empty() && resting_.front().first <= takes_; resting_.pop_front()) {
    MappedMemory& block = resting_.front().second;
    const size_t size = block.bytes();
    free_.emplace(size, std::move(block));
  }
}

void Arena::forEachFree(const std::function<void(uint8_t*, size_t)>& use) const {
  std::lock_guard lock(mutex_);
  for (const auto& [size, block] : free_) use(block.data(), size);
  for (const auto& [until, block] : resting_) use(block.data(), block.bytes());
}

ArenaStatistics Arena::statistics() const {
  std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace persimmon
