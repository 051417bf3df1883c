#include "mapped_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace persimmon {

MappedMemory::MappedMemory(MappedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)),
      isFile_(std::exchange(other.isFile_, false)),
      release_(std::move(other.release_)) {}

MappedMemory& MappedMemory::operator=(MappedMemory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(isFile_, other.isFile_);
  std::swap(release_, other.release_);
  return *this;
}

MappedMemory::~MappedMemory() {
  if (data_ == nullptr) return;
  if (release_) {
    release_(data_);
  } else {
    munmap(data_, bytes_);
  }
}

MappedMemory MappedMemory::foreign(uint8_t* data, size_t bytes, std::function<void(uint8_t*)> release) {
  MappedMemory memory(data, bytes);
  memory.release_ = std::move(release);
  return memory;
}

MappedMemory MappedMemory::file(const std::string& path, std::string& error) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    error = std::strerror(errno);
    return {};
  }
  struct stat status{};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
    error = "not a regular file with content";
    close(descriptor);
    return {};
  }
  const size_t bytes = static_cast<size_t>(status.st_size);
  int flags = MAP_PRIVATE;
#ifdef MAP_NORESERVE
  flags |= MAP_NORESERVE;  // a file may be larger than the memory
#endif
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  if (data == MAP_FAILED) error = std::strerror(errno);
  close(descriptor);
  if (data == MAP_FAILED) return {};
  MappedMemory memory(static_cast<uint8_t*>(data), bytes);
  memory.isFile_ = true;
  return memory;
}

void MappedMemory::unload(size_t offset, size_t bytes) const {
  if (!isFile_) return;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t begin = (offset + page - 1) / page * page, end = (offset + bytes) / page * page;
  if (begin < end) madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

void MappedMemory::fetch(const uint8_t* data, size_t bytes) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(data) / page * page;
  const size_t whole = reinterpret_cast<uintptr_t>(data) + bytes - begin;
  auto* start = reinterpret_cast<void*>(begin);
  // Asks for all of it at once, where page faults would ask for 128 KiB and wait, and then waits for all.
  madvise(start, whole, MADV_WILLNEED);
#ifdef MADV_POPULATE_READ
  madvise(start, whole, MADV_POPULATE_READ);  // since Linux 5.14
#endif
}

MappedMemory MappedMemory::anonymous(size_t bytes) {
  if (bytes == 0) bytes = 1;
  int flags = MAP_PRIVATE | MAP_ANONYMOUS;
#ifdef MAP_NORESERVE
  flags |= MAP_NORESERVE;
#endif
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (data == MAP_FAILED) return {};
#ifdef MADV_HUGEPAGE
  // 2 MiB pages: a 134 MB weight matrix then needs 64 translations where 4 KiB pages need 32,768.
  if (bytes >= (size_t{2} << 20)) madvise(data, bytes, MADV_HUGEPAGE);
#endif
  return MappedMemory(static_cast<uint8_t*>(data), bytes);
}

}  // namespace persimmon
