// The bytes behind tensors: a block of a stream's arena, a reservation, or a mapped file.
#pragma once

#include <memory>
#include <utility>

#include "stream.h"

namespace persimmon {

class Storage {
 public:
  // `arena`: where a block goes back to; nullptr for memory of its own.
  Storage(std::shared_ptr<Stream> stream, MappedMemory memory, std::shared_ptr<Arena> arena = nullptr)
      : stream_(std::move(stream)), memory_(std::move(memory)), arena_(std::move(arena)) {}
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // Commands that were enqueued earlier may still use the bytes: an arena block is reused in stream order
  // only, any other mapping is removed by a command of its own.
  ~Storage() {
    if (arena_ != nullptr) {
      arena_->giveBack(std::move(memory_));
      // The arena of a plan may end with its last block, while the stream still works on it.
      if (arena_.get() != &stream_->arena()) stream_->enqueue([held = std::move(arena_)](ThreadPool&) {});
    } else {
      auto held = std::make_shared<MappedMemory>(std::move(memory_));
      stream_->enqueue([held](ThreadPool&) { *held = MappedMemory(); });
    }
  }

  bool isOn(const Stream& stream) const { return stream_.get() == &stream; }
  bool isFrom(const Arena& arena) const { return arena_.get() == &arena; }
  uint8_t* data() const { return memory_.data(); }
  size_t bytes() const { return memory_.bytes(); }
  void unload(size_t offset, size_t bytes) const { memory_.unload(offset, bytes); }

 private:
  std::shared_ptr<Stream> stream_;
  MappedMemory memory_;
  std::shared_ptr<Arena> arena_;
};

}  // namespace persimmon
