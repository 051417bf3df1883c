// The stream, its arena and mapped memory: order, reuse, failure and shutdown.
#include "core/stream.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "check.h"
#include "core/storage.h"

namespace {

using persimmon::Arena;
using persimmon::MappedMemory;
using persimmon::Storage;
using persimmon::Stream;
using persimmon::ThreadPool;

void pauseFor(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

}  // namespace

TEST(streamRunsCommandsInOrder) {
  Stream stream(2);
  std::vector<int> seen;
  for (int i = 0; i < 1000; ++i) stream.enqueue([&seen, i](ThreadPool&) { seen.push_back(i); });
  stream.synchronize();
  CHECK(seen.size() == 1000);
  for (int i = 0; i < static_cast<int>(seen.size()); ++i) CHECK(seen[i] == i);
}

TEST(streamLeavesOutWhatIsLeftOfACancelledGroup) {
  Stream stream(2);
  std::atomic<int> ran{0};
  std::atomic<bool> started{false}, go{false};
  const auto count = [&ran](ThreadPool&) { ++ran; };
  const int64_t group = stream.startGroup();
  stream.launch(
      [&](ThreadPool&) {
        started = true;
        while (!go) std::this_thread::yield();
        ++ran;
      },
      "");
  for (int i = 0; i < 50; ++i) stream.launch(count, "");
  stream.endGroup();
  stream.launch(count, "");
  const int64_t other = stream.startGroup();
  stream.launch(count, "");
  stream.endGroup();
  stream.enqueue(count);
  while (!started) std::this_thread::yield();
  stream.cancel(group);
  stream.cancel(other + 1);
  go = true;
  stream.synchronize();
  CHECK(ran == 4);  // the one that ran, and three that are not of the group
  stream.cancel(group);
}

TEST(streamReportsAFailedCommandOnceAndGoesOn) {
  Stream stream(1);
  bool later = false;
  stream.enqueue([](ThreadPool&) { throw std::bad_alloc(); });
  stream.enqueue([&later](ThreadPool&) { later = true; });
  stream.synchronize();
  CHECK(later);
  CHECK(!stream.takeError().empty());
  CHECK(stream.takeError().empty());
}

TEST(streamDropsWaitingCommandsWhenItStops) {
  std::atomic<int> ran{0};
  std::atomic<bool> started{false};
  auto alive = std::make_shared<int>(1);
  {
    Stream stream(2);
    stream.enqueue([&](ThreadPool&) {
      started = true;
      pauseFor(20);
      ++ran;
    });
    for (int i = 0; i < 100; ++i) {
      stream.enqueue([&ran, alive](ThreadPool&) {
        pauseFor(20);
        ++ran;
      });
    }
    while (!started) pauseFor(1);
  }
  CHECK(ran < 100);
  CHECK(alive.use_count() == 1);
}

TEST(streamSynchronizeReturnsAfterStop) {
  Stream stream(1);
  stream.stop();
  stream.enqueue([](ThreadPool&) {});
  stream.synchronize();
  stream.stop();
  CHECK(true);
}

// A block that JavaScript gave back while a command that reads it still waits must not be unmapped or changed
// before that command has run.
TEST(storageGivenBackEarlyStaysValidInStreamOrder) {
  auto stream = std::make_shared<Stream>(2);
  std::vector<int> sums;
  for (int round = 0; round < 200; ++round) {
    const size_t bytes = 4096 * (1 + round % 7);
    auto storage = std::make_shared<Storage>(stream, stream->arena().take(bytes), stream->memory());
    uint8_t* data = storage->data();
    stream->enqueue([=](ThreadPool&) {
      for (size_t i = 0; i < bytes; ++i) data[i] = static_cast<uint8_t>(round);
    });
    stream->enqueue([=, &sums](ThreadPool&) {
      int wrong = 0;
      for (size_t i = 0; i < bytes; ++i) wrong += data[i] != static_cast<uint8_t>(round);
      sums.push_back(wrong);
    });
    storage.reset();
  }
  stream->synchronize();
  CHECK(sums.size() == 200);
  for (int wrong : sums) CHECK(wrong == 0);
  CHECK(stream->arena().statistics().bytesInUse == 0);
}

TEST(arenaReusesBlocksAndDiscardsAboveItsLimit) {
  size_t discarded = 0;
  Arena arena(size_t{1} << 20, MappedMemory::anonymous,
              [&discarded](MappedMemory memory) { discarded += memory.bytes(); });
  MappedMemory first = arena.take(100000);
  uint8_t* address = first.data();
  CHECK(first.bytes() >= 100000);
  CHECK(arena.statistics().bytesInUse == first.bytes());
  arena.giveBack(std::move(first));
  MappedMemory again = arena.take(99000);
  CHECK(again.data() == address);
  arena.giveBack(std::move(again));
  arena.giveBack(arena.take(size_t{3} << 20));
  CHECK(discarded >= size_t{3} << 20);
  CHECK(arena.statistics().bytesCached <= size_t{1} << 20);
  CHECK(arena.statistics().bytesInUse == 0);
  CHECK(arena.statistics().bytesPeak >= size_t{3} << 20);
}

TEST(mappedFileHoldsTheBytesAndRefusesWhatIsNone) {
  const std::string path = (std::filesystem::temp_directory_path() / "persimmon_mapped_test.bin").string();
  std::FILE* file = std::fopen(path.c_str(), "wb");
  std::fputs("persimmon", file);
  std::fclose(file);
  std::string error;
  MappedMemory memory = MappedMemory::file(path, error);
  CHECK(memory && memory.bytes() == 9 && memory.data()[8] == 'n');
  std::filesystem::remove(path);
  CHECK(memory.data()[0] == 'p');
  CHECK(!MappedMemory::file(path, error) && !error.empty());
  error.clear();
  CHECK(!MappedMemory::file(std::filesystem::temp_directory_path().string(), error) && !error.empty());
}

TEST(aReservationIsZeroAndCostsNothingUntilWritten) {
  MappedMemory memory = MappedMemory::anonymous(size_t{64} << 30);
  CHECK(memory);
  if (!memory) return;
  CHECK(memory.data()[0] == 0 && memory.data()[memory.bytes() - 1] == 0);
  memory.data()[size_t{32} << 30] = 7;
  CHECK(memory.data()[size_t{32} << 30] == 7);
}
