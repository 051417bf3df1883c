// Pages straight from the operating system: files mapped for reading, and anonymous memory; or memory of a
// GPU.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace persimmon {

// Owns one mapping, or one block of somebody else's; gives it back when destroyed.
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

  // A block that `release` gives back: memory of a GPU, say, where `data` is an address that only the GPU can
  // read. Empty where `data` is null.
  static MappedMemory foreign(uint8_t* data, size_t bytes, std::function<void(uint8_t*)> release);

  // Brings bytes of a mapped file into memory, waiting until they are there; only a hint where the system has
  // nothing better, and without effect where it fails. For a thread of its own.
  static void fetch(const uint8_t* data, size_t bytes);

  // Takes the whole pages among some bytes of a mapped file out of this process, which reads them again where
  // it uses them; what was written to them is lost. Nothing happens to other memory.
  void unload(size_t offset, size_t bytes) const;

  uint8_t* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  MappedMemory(uint8_t* data, size_t bytes) : data_(data), bytes_(bytes) {}
  uint8_t* data_ = nullptr;
  size_t bytes_ = 0;
  bool isFile_ = false;
  std::function<void(uint8_t*)> release_;  // empty for mappings
};

}  // namespace persimmon
