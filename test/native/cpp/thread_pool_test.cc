#include "core/thread_pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <new>
#include <thread>
#include <vector>

#include "check.h"

using namespace check;

TEST(threadPoolCallsEachPartOnce) {
  for (int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (int call = 0; call < 200; ++call) {
      // Plain ints: the sanitizer sees whether parallel() orders the threads' writes before its return.
      std::vector<int> seen(static_cast<size_t>(threads), 0);
      pool.parallel([&](int part, int parts) { seen[static_cast<size_t>(part)] += parts; });
      for (int count : seen) CHECK(count == threads);
    }
  }
}

TEST(threadPoolWakesFromSleep) {
  ThreadPool pool(3);
  int64_t total = 0;
  for (int call = 0; call < 20; ++call) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    std::atomic<int64_t> sum{0};
    pool.parallel([&](int part, int) { sum += part + 1; });
    total += sum;
  }
  CHECK(total == 20 * 6);
}

TEST(threadPoolCallerSleepsForSlowThreads) {
  ThreadPool pool(2);
  for (int call = 0; call < 5; ++call) {
    int slow = 0;
    pool.parallel([&](int part, int) {
      if (part == 1) {
        std::this_thread::sleep_for(std::chrono::milliseconds(3));
        slow = 1;
      }
    });
    CHECK(slow == 1);
  }
}

TEST(threadPoolEndsWhenIdle) {
  for (int i = 0; i < 20; ++i) ThreadPool pool(3);
}

TEST(parallelChunksCoverEverythingOnce) {
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (int64_t count : {0, 1, 7, 64, 1000}) {
      for (int64_t grain : {1, 3, 64, 5000}) {
        std::vector<std::atomic<int>> hits(static_cast<size_t>(count));
        persimmon::parallelChunks(pool, count, grain, [&](int64_t begin, int64_t end) {
          CHECK(begin < end && end - begin <= grain);
          for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
        });
        for (auto& hit : hits) CHECK(hit == 1);
      }
    }
  }
}

TEST(taperedQueueCoversEverythingOnceInShorterAndShorterPieces) {
  for (int64_t count : {0, 1, 7, 64, 1000, 4099}) {
    for (auto [unit, least, most] : {std::array<int64_t, 3>{1, 1, 5000}, {4, 0, 100}, {24, 30, 200}}) {
      persimmon::TaperedQueue queue(count, unit, least, most, 2);
      int64_t begin, end, covered = 0, before = count;
      while (queue.take(&begin, &end)) {
        CHECK(begin == covered && end > begin && end - begin <= before);
        CHECK(end - begin <= std::max(unit, most));
        // Never more than half of a thread's share of what is left, unless that is too short.
        CHECK(end - begin <= std::max({(count - begin) / 4, least, unit}));
        CHECK(end == count || (end - begin) % unit == 0);
        before = end - begin;
        covered = end;
      }
      CHECK(covered == count);
    }
  }
}

TEST(taperedQueueGivesEachPieceToOneThread) {
  for (int round = 0; round < 20; ++round) {
    ThreadPool pool(3);
    std::vector<std::atomic<int>> hits(5000);
    persimmon::TaperedQueue queue(5000, 1, 1, 50, 3);
    pool.parallel([&](int, int) {
      int64_t begin, end;
      while (queue.take(&begin, &end)) {
        for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
      }
    });
    for (auto& hit : hits) CHECK(hit == 1);
  }
}

TEST(threadPoolCallsWhatComesLaterOnAnotherThread) {
  ThreadPool alone(1), pool(2);
  const std::thread::id own = std::this_thread::get_id();
  std::vector<std::thread::id> callers;
  const auto note = [&] { callers.push_back(std::this_thread::get_id()); };
  alone.later(note);
  CHECK(callers == std::vector{own});
  pool.later(note);
  CHECK(callers.size() == 1);
  pool.parallel([](int, int) {});
  CHECK(callers.size() == 2 && callers.back() != own);
  pool.parallel([](int, int) {});
  pool.callNow();
  CHECK(callers.size() == 2);
  // The second calls the first at once.
  pool.later(note);
  pool.later(note);
  CHECK(callers.size() == 3 && callers.back() == own);
  pool.callNow();
  CHECK(callers.size() == 4 && callers.back() == own);
}

TEST(threadPoolGivesFailuresOfItsThreadsToTheCaller) {
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (int failing = 0; failing < threads; ++failing) {
      std::atomic<int> finished{0};
      bool thrown = false;
      try {
        pool.parallel([&](int part, int) {
          if (part == failing) throw std::bad_alloc();
          ++finished;
        });
      } catch (const std::bad_alloc&) {
        thrown = true;
      }
      CHECK(thrown);
      CHECK(finished == threads - 1);
      // The next call is as if nothing had been.
      std::atomic<int> calls{0};
      pool.parallel([&](int, int) { ++calls; });
      CHECK(calls == threads);
    }
  }
}

TEST(scratchGrowsAndIsAligned) {
  ThreadPool pool(2);
  // Whole pages for each thread.
  pool.reserveScratch(100, 1000);
  CHECK(pool.scratchBytes() == 100 + 2 * 4096);
  pool.reserveScratch(50, 5000);
  CHECK(pool.scratchBytes() == 100 + 2 * 8192);
  CHECK(reinterpret_cast<uintptr_t>(pool.sharedScratch()) % 64 == 0);
  for (const int part : {0, 1}) CHECK(reinterpret_cast<uintptr_t>(pool.threadScratch(part)) % 4096 == 0);
  CHECK(pool.threadScratch(0) != pool.threadScratch(1));
  if (sanitized()) return;  // they end the process when so much is asked for
  bool thrown = false;
  try {
    pool.reserveScratch(SIZE_MAX / 2, 0);
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  CHECK(thrown);
}
