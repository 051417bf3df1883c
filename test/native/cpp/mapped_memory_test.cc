#include "core/mapped_memory.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "check.h"

using namespace check;
using persimmon::MappedMemory;

TEST(unloadTakesWholePagesOfAFileOnly) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  char path[] = "/tmp/persimmon-mapped-XXXXXX";
  const int descriptor = mkstemp(path);
  CHECK(descriptor >= 0);
  const std::vector<uint8_t> bytes(4 * page, 7);
  CHECK(write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  close(descriptor);
  std::string error;
  MappedMemory file = MappedMemory::file(path, error);
  std::remove(path);
  CHECK(error.empty() && file.bytes() == 4 * page);
  // What is written shows which pages have been read again.
  for (size_t i = 0; i < 4; ++i) file.data()[i * page] = 1;
  file.unload(1, 3 * page);
  CHECK(file.data()[0] == 1 && file.data()[page] == 7 && file.data()[2 * page] == 7 &&
        file.data()[3 * page] == 1);
  file.unload(3 * page + 1, page - 2);
  CHECK(file.data()[3 * page] == 1);
  MappedMemory moved = std::move(file);
  moved.unload(0, page);
  CHECK(moved.data()[0] == 7);

  MappedMemory other = MappedMemory::anonymous(4 * page);
  other.data()[page] = 1;
  other.unload(0, 4 * page);
  CHECK(other.data()[page] == 1);
}
