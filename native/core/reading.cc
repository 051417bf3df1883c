#include "reading.h"

#include <algorithm>
#include <exception>

namespace persimmon {

void Reading::take(Stream& stream, const uint8_t* source) {
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
