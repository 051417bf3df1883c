// Memory aligned to cache lines, to pages of 4 KiB from that size on, or to huge pages when it is large.
#pragma once

#include <cstddef>

namespace persimmon {

/** Owns `size()` uninitialised bytes. Throws std::bad_alloc. Movable, not copyable. */
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(size_t bytes);
  AlignedBuffer(AlignedBuffer&& other) noexcept;
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept;
  ~AlignedBuffer();

  void* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace persimmon
