// The bytes behind tensors: a block of a stream's arena, a reservation, or a mapped file.
#pragma once

#include <memory>
#include <utility>

#include "stream.h"

namespace persimmon {

class Storage {
 public:
  enum class Kind { kArena, kOwned };

  Storage(std::shared_ptr<Stream> stream, MappedMemory memory, Kind kind)
      : stream_(std::move(stream)), memory_(std::move(memory)), kind_(kind) {}
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  // Commands that were enqueued earlier may still use the bytes: an arena block is reused in stream order
  // only, any other mapping is removed by a command of its own.
  ~Storage() {
    if (kind_ == Kind::kArena) {
      stream_->arena().giveBack(std::move(memory_));
    } else {
      auto held = std::make_shared<MappedMemory>(std::move(memory_));
      stream_->enqueue([held](ThreadPool&) { *held = MappedMemory(); });
    }
  }

  bool isOn(const Stream& stream) const { return stream_.get() == &stream; }
  uint8_t* data() const { return memory_.data(); }
  size_t bytes() const { return memory_.bytes(); }

 private:
  std::shared_ptr<Stream> stream_;
  MappedMemory memory_;
  const Kind kind_;
};

}  // namespace persimmon
