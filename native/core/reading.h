// Bytes of a stream's memory as they are at one moment, for whoever asks later: the stream goes on meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../cuda/queue.h"
#include "stream.h"

namespace persimmon {

class Reading {
 public:
  explicit Reading(size_t bytes) : size_(bytes) {}
  size_t size() const { return size_; }

  // Both on the stream's thread: a command that copies the bytes aside, and a later one that waits for them.
  void take(Stream& stream, const uint8_t* source);
  // What went wrong before the bytes were taken, empty if nothing did: then `target` has them.
  std::string deliver(uint8_t* target);

 private:
  const size_t size_;
  std::string error_ = "the bytes were never read";
  std::vector<uint8_t> bytes_;
  std::shared_ptr<cuda::HostCopy> copy_;
};

}  // namespace persimmon
