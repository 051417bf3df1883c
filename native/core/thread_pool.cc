#include "core/thread_pool.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "core/aligned_buffer.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace persimmon {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(50);
// Also of ARM servers with larger pages: what is fetched ahead stays within 4 KiB.
constexpr size_t kPage = 4096;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// True as soon as ready() is, false after the spinning time.
template <class Ready>
bool spinUntil(Ready ready, std::chrono::microseconds limit) {
  if (ready()) return true;
  const auto end = Clock::now() + limit;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (Clock::now() < end);
  return ready();
}

}  // namespace

struct ThreadPool::State {
  // A call is published by raising `generation` after task and context are set; `remaining` counts the
  // threads that have not finished it. Each sleeps under the mutex after it has looked again, so that no
  // wake-up is lost.
  alignas(64) std::atomic<uint64_t> generation{0};
  alignas(64) std::atomic<int> remaining{0};
  Task task = nullptr;
  const void* context = nullptr;
  std::atomic<bool> stopping{false};

  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable finished;
  std::chrono::microseconds spin{kSpin};

  std::exception_ptr failure;
  // What is to be called with the next task.
  std::function<void()> later;

  std::vector<std::thread> threads;
  std::vector<AlignedBuffer> threadScratch;
  AlignedBuffer sharedScratch;

  void work(int part, int parts) {
    uint64_t seen = 0;
    for (;;) {
      const auto called = [&] { return generation.load(std::memory_order_acquire) != seen; };
      if (!spinUntil(called, spin)) {
        std::unique_lock<std::mutex> lock(mutex);
        wake.wait(lock, called);
      }
      ++seen;
      if (stopping.load(std::memory_order_relaxed)) return;
      attempt(part, parts);
      if (remaining.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        // The caller may sleep: taking the mutex orders this notification after its last look.
        std::lock_guard<std::mutex> lock(mutex);
        finished.notify_one();
      }
    }
  }

  // A task that fails (no memory, mostly) does not end the process: the first failure is kept for the caller.
  void attempt(int part, int parts) {
    try {
      // Nobody else looks at it during a call.
      if (part == 1 && later) std::exchange(later, nullptr)();
      task(context, part, parts);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex);
      if (failure == nullptr) failure = std::current_exception();
    }
  }

  void publish() {
    {
      std::lock_guard<std::mutex> lock(mutex);
      generation.fetch_add(1, std::memory_order_release);
    }
    wake.notify_all();
  }

  void stop() {
    stopping.store(true, std::memory_order_relaxed);
    publish();
    for (std::thread& thread : threads) thread.join();
  }
};

ThreadPool::ThreadPool(int threads) : state_(new State), size_(threads < 1 ? 1 : threads) {
  State& state = *state_;
  state.threadScratch.resize(size_);
  // Threads beyond the cores would spin in each other's way.
  const unsigned cores = std::thread::hardware_concurrency();
  if (cores != 0 && static_cast<unsigned>(size_) > cores) state.spin = std::chrono::microseconds(0);
  try {
    for (int part = 1; part < size_; ++part) {
      state.threads.emplace_back([this, part] { state_->work(part, size_); });
    }
  } catch (...) {
    state.stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { state_->stop(); }

void ThreadPool::run(Task task, const void* context) {
  State& state = *state_;
  if (size_ == 1) {
    task(context, 0, 1);
    return;
  }
  state.task = task;
  state.context = context;
  state.remaining.store(size_ - 1, std::memory_order_relaxed);
  state.publish();
  state.attempt(0, size_);
  const auto done = [&] { return state.remaining.load(std::memory_order_acquire) == 0; };
  if (!spinUntil(done, state.spin)) {
    std::unique_lock<std::mutex> lock(state.mutex);
    state.finished.wait(lock, done);
  }
  // All threads are done: nobody else looks at `failure` now.
  if (state.failure != nullptr) std::rethrow_exception(std::exchange(state.failure, nullptr));
}

void ThreadPool::later(std::function<void()> f) {
  callNow();
  if (size_ == 1) {
    f();
  } else {
    state_->later = std::move(f);
  }
}

void ThreadPool::callNow() {
  if (state_->later) std::exchange(state_->later, nullptr)();
}

void ThreadPool::reserveScratch(size_t shared, size_t perThread) {
  State& state = *state_;
  if (state.sharedScratch.size() < shared) state.sharedScratch = AlignedBuffer(shared);
  // Pages of its own for each thread. A processor fetches what follows the lines in use: past the end of a
  // buffer that is the beginning of another thread's, and both would wait for lines that the other one writes
  // (16 rows of linear took 13 ms instead of 6). It stops at the end of a page.
  const size_t own = (perThread + kPage - 1) / kPage * kPage;
  for (AlignedBuffer& buffer : state.threadScratch) {
    if (buffer.size() < own) buffer = AlignedBuffer(own);
  }
}

void* ThreadPool::sharedScratch() const { return state_->sharedScratch.data(); }

void* ThreadPool::threadScratch(int part) const { return state_->threadScratch[part].data(); }

size_t ThreadPool::scratchBytes() const {
  size_t bytes = state_->sharedScratch.size();
  for (const AlignedBuffer& buffer : state_->threadScratch) bytes += buffer.size();
  return bytes;
}

ChunkQueue::ChunkQueue(int64_t count, int64_t grain) : count_(count), grain_(grain), next_(0) {}

bool ChunkQueue::take(int64_t* begin, int64_t* end) {
  *begin = next_.fetch_add(grain_, std::memory_order_relaxed);
  if (*begin >= count_) return false;
  *end = *begin + grain_ < count_ ? *begin + grain_ : count_;
  return true;
}

TaperedQueue::TaperedQueue(int64_t count, int64_t unit, int64_t least, int64_t most, int threads)
    : count_(count), unit_(unit), least_(least), most_(most), threads_(threads), next_(0) {}

bool TaperedQueue::take(int64_t* begin, int64_t* end) {
  *begin = next_.load(std::memory_order_relaxed);
  do {
    if (*begin >= count_) return false;
    const int64_t wanted = std::clamp((count_ - *begin) / (2 * threads_), least_, most_);
    *end = std::min(count_, *begin + std::max(wanted / unit_, int64_t{1}) * unit_);
  } while (!next_.compare_exchange_weak(*begin, *end, std::memory_order_relaxed));
  return true;
}

}  // namespace persimmon
