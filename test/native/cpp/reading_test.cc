// Readings: bytes at one moment of the stream, handed out while the stream goes on.
#include "core/reading.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "check.h"
#include "core/stream.h"

namespace {

using persimmon::Reading;
using persimmon::Stream;
using persimmon::ThreadPool;

std::shared_ptr<Reading> start(Stream& stream, const std::vector<uint8_t>& source) {
  auto reading = std::make_shared<Reading>(source.size());
  stream.enqueue(
      [&stream, &source, reading](ThreadPool& pool) { reading->take(stream, source.data(), pool); });
  return reading;
}

void waitFor(const std::atomic<int>& count, int wanted) {
  while (count < wanted) std::this_thread::yield();
}

void checkBusyStream(int threads) {
  Stream stream(threads);
  std::vector<uint8_t> source = {1, 2, 3};
  std::atomic<bool> begin{false}, end{false};
  std::atomic<int> told{0};
  stream.enqueue([&](ThreadPool&) {
    while (!begin) std::this_thread::yield();
  });
  const auto reading = start(stream, source);
  // The next pass, which writes where the reading was made.
  stream.enqueue([&](ThreadPool& pool) {
    source = {7, 8, 9};
    pool.parallel([&](int, int) {
      while (!end) std::this_thread::yield();
    });
  });
  std::vector<uint8_t> early(3), late(3);
  reading->whenTaken([&] {
    CHECK(reading->deliver(early.data()).empty());
    ++told;
  });
  CHECK(told == 0);
  begin = true;
  // Where this waits for the stream it never ends.
  waitFor(told, 1);
  reading->whenTaken([&] {
    CHECK(reading->deliver(late.data()).empty());
    ++told;
  });
  CHECK(told == 2);
  CHECK(early == (std::vector<uint8_t>{1, 2, 3}) && late == early);
  end = true;
  stream.synchronize();
  CHECK(told == 2);
}

}  // namespace

TEST(readingIsHandedOutWhileTheStreamIsBusyWithWhatComesNext) {
  for (const int threads : {1, 2, 3}) checkBusyStream(threads);
}

TEST(readingIsHandedOutWhereNothingComesNext) {
  for (const int threads : {1, 2}) {
    Stream stream(threads);
    const std::vector<uint8_t> source = {4};
    std::atomic<int> told{0};
    for (int i = 1; i <= 3; ++i) {
      start(stream, source)->whenTaken([&told] { ++told; });
      stream.synchronize();
      CHECK(told == i);
    }
  }
}

TEST(readingSaysWhatFailedBeforeItAndNobodyIsToldByAStreamThatEnds) {
  const std::vector<uint8_t> source = {5};
  std::atomic<int> told{0};
  {
    Stream stream(1);
    stream.enqueue([](ThreadPool&) { throw std::bad_alloc(); });
    const auto failed = start(stream, source);
    const auto sound = start(stream, source);
    stream.synchronize();
    uint8_t byte = 0;
    CHECK(failed->deliver(&byte) == std::bad_alloc().what() && byte == 0);
    CHECK(sound->deliver(&byte).empty() && byte == 5);
    CHECK(!stream.takeError().size());
    std::atomic<bool> end{false};
    stream.enqueue([&end](ThreadPool&) {
      while (!end) std::this_thread::yield();
    });
    start(stream, source)->whenTaken([&told] { ++told; });
    std::thread stopping([&stream] { stream.stop(); });
    // The stream drops what has not begun as soon as it is told to stop, or when that has begun.
    end = true;
    stopping.join();
  }
  CHECK(told <= 1);
}
