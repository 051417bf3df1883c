#include "reading.h"

#include <algorithm>
#include <exception>
#include <utility>

namespace persimmon {

void Reading::take(Stream& stream, const uint8_t* source, ThreadPool& pool) {
  copyAside(stream, source);
  std::vector<std::function<void()>> waiting;
  {
    std::lock_guard lock(mutex_);
    isTaken_ = true;
    waiting.swap(waiting_);
  }
  for (const std::function<void()>& f : waiting) pool.later(f);
}

void Reading::whenTaken(std::function<void()> f) {
  {
    std::lock_guard lock(mutex_);
    if (!isTaken_) {
      waiting_.push_back(std::move(f));
      return;
    }
  }
  f();
}

void Reading::copyAside(Stream& stream, const uint8_t* source) {
  error_ = stream.takeError();
  if (!error_.empty()) return;
  try {
    if (cuda::Queue* gpu = stream.gpu()) {
      copy_ = gpu->startCopyOut(source, size_);
    } else {
      bytes_.assign(source, source + size_);
    }
  } catch (const std::exception& failure) {
    error_ = failure.what();
  }
}

std::string Reading::deliver(uint8_t* target) {
  if (!error_.empty()) return error_;
  const uint8_t* bytes = copy_ == nullptr ? bytes_.data() : copy_->wait();
  std::copy(bytes, bytes + size_, target);
  return {};
}

}  // namespace persimmon
