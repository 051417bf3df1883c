// Persistent threads that run one function at a time, and dynamic chunks for them to share.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/read_order.h"

namespace persimmon {

/**
 * How matrix products take activations that meet weights, or keys and values, of bfloat16, int8 or int4: with
 * all their digits, or rounded to bfloat16 where that is faster. The names are those of
 * torch.set_float32_matmul_precision.
 */
enum class MatmulPrecision : int32_t { kHighest = 0, kMedium = 1 };

/** Bytes of weights since the beginning, for the caller of parallel(). */
struct WeightTraffic {
  /** What matrix products had to read at least once. */
  int64_t read = 0;
  /** What they left out because it belongs to zeros. */
  int64_t skipped = 0;
};

/**
 * `size()` threads, of which the caller of parallel() is one. Between calls the others spin for about 50
 * microseconds (a decode step has a call every 10 to 100) and then sleep. One caller at a time: the stream's
 * thread.
 */
class ThreadPool {
 public:
  /** At least one thread; throws std::system_error if the system gives no more. */
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }
  WeightTraffic& weightTraffic() { return weightTraffic_; }
  MatmulPrecision matmulPrecision() const { return matmulPrecision_; }
  void setMatmulPrecision(MatmulPrecision precision) { matmulPrecision_ = precision; }
  /** For weights of 4, 8, 16 or 32 bits. */
  ReadOrderChoice& readOrder(int bits) {
    return readOrders_[static_cast<size_t>(std::countr_zero(static_cast<unsigned>(bits)) - 2)];
  }

  /** Calls f(part, parts) once on each thread, parts == size(), and returns when all are done. What
   * f throws is thrown here, the first if several threads fail. */
  template <class F>
  void parallel(const F& f) {
    run([](const void* context, int part, int parts) { (*static_cast<const F*>(context))(part, parts); }, &f);
  }

  /**
   * Calls f soon, on another thread than the caller's if there is one: with the next parallel(), or when the
   * caller calls callNow() because none comes soon. For what wakes JavaScript, which then runs on the core of
   * the thread that woke it: between two calls of parallel() all threads would wait for that one, 0.2 ms for
   * each token.
   */
  void later(std::function<void()> f);
  void callNow();

  /**
   * Working memory for a function about to run, kept between calls and shared by all ops: `shared` bytes for
   * all threads and `perThread` for each. Called by the caller of parallel(), before it; throws
   * std::bad_alloc there.
   */
  void reserveScratch(size_t shared, size_t perThread);
  void* sharedScratch() const;
  void* threadScratch(int part) const;
  /** Bytes held by reserveScratch. */
  size_t scratchBytes() const;

 private:
  using Task = void (*)(const void* context, int part, int parts);
  void run(Task task, const void* context);

  struct State;
  std::unique_ptr<State> state_;
  const int size_;
  WeightTraffic weightTraffic_;
  MatmulPrecision matmulPrecision_ = MatmulPrecision::kHighest;
  std::array<ReadOrderChoice, 4> readOrders_;
};

/**
 * Hands out [0, count) in pieces of `grain` to whoever asks, so that a thread slowed by a neighbour takes
 * less. Results must not depend on who takes what.
 */
class ChunkQueue {
 public:
  ChunkQueue(int64_t count, int64_t grain);
  /** False when nothing is left. */
  bool take(int64_t* begin, int64_t* end);

 private:
  const int64_t count_;
  const int64_t grain_;
  alignas(64) std::atomic<int64_t> next_;
};

/**
 * A ChunkQueue whose pieces get shorter towards the end, so that long ones are read at a stretch and the
 * threads finish together all the same: half of a thread's share of what is left, in multiples of `unit` (but
 * for the last), at least `least` and at most `most`.
 */
class TaperedQueue {
 public:
  TaperedQueue(int64_t count, int64_t unit, int64_t least, int64_t most, int threads);
  /** False when nothing is left. */
  bool take(int64_t* begin, int64_t* end);

 private:
  const int64_t count_, unit_, least_, most_, threads_;
  alignas(64) std::atomic<int64_t> next_;
};

/** f(begin, end) over pieces of [0, count) of at most `grain`; on the caller alone when there is but one
 * piece. */
template <class F>
void parallelChunks(ThreadPool& pool, int64_t count, int64_t grain, F&& f) {
  if (count <= 0) return;
  if (count <= grain || pool.size() == 1) {
    for (int64_t begin = 0; begin < count; begin += grain)
      f(begin, begin + grain < count ? begin + grain : count);
    return;
  }
  ChunkQueue queue(count, grain);
  pool.parallel([&](int, int) {
    int64_t begin, end;
    while (queue.take(&begin, &end)) f(begin, end);
  });
}

}  // namespace persimmon
