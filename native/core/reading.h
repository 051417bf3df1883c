// Bytes of a stream's memory as they are at one moment, for whoever asks later: the stream goes on meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "../cuda/queue.h"
#include "stream.h"

namespace persimmon {

class Reading {
 public:
  explicit Reading(size_t bytes) : size_(bytes) {}
  size_t size() const { return size_; }

  // A command of the stream, whose pool tells those who wait: copies the bytes aside, or begins to, where
  // they come from a GPU.
  void take(Stream& stream, const uint8_t* source, ThreadPool& pool);
  // Calls f when `take` has run: at once, or on a thread of the stream. Never, if the stream ends before.
  void whenTaken(std::function<void()> f);
  // After `take`; waits for a GPU. What went wrong before the bytes were taken, empty if nothing did: then
  // `target` has them.
  std::string deliver(uint8_t* target);

 private:
  void copyAside(Stream& stream, const uint8_t* source);

  const size_t size_;
  // Of what follows.
  std::mutex mutex_;
  bool isTaken_ = false;
  std::vector<std::function<void()>> waiting_;
  // Written before isTaken_ is.
  std::string error_ = "the bytes were never read";
  std::vector<uint8_t> bytes_;
  std::shared_ptr<cuda::HostCopy> copy_;
};

}  // namespace persimmon
