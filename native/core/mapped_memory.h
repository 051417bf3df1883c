// Pages straight from the operating system: files mapped for reading, and anonymous memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace persimmon {

// Owns one mapping; unmaps it when destroyed.
class MappedMemory {
 public:
  MappedMemory() = default;
  MappedMemory(MappedMemory&& other) noexcept;
  MappedMemory& operator=(MappedMemory&& other) noexcept;
  MappedMemory(const MappedMemory&) = delete;
  MappedMemory& operator=(const MappedMemory&) = delete;
  ~MappedMemory();

  // Maps a whole file. Pages that are written to become copies of one's own; the file never changes. On
  // failure the result is empty and `error` says why.
  static MappedMemory file(const std::string& path, std::string& error);

  // Zeroed anonymous memory. Physical pages are taken only when they are first written, so a large
  // reservation (a KV cache for the whole context) costs what is used of it. Huge pages are asked for from 2
  // MiB on. Empty on failure.
  static MappedMemory anonymous(size_t bytes);

  // Brings bytes of a mapped file into memory, waiting until they are there; only a hint where the system has
  // nothing better, and without effect where it fails. For a thread of its own.
  static void fetch(const uint8_t* data, size_t bytes);

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  MappedMemory(uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace persimmon
