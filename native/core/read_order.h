// In which order a product with a row or two reads its weights, by what is faster on this machine.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace persimmon {

/** One output after another, in order of address; or several outputs side by side, each a stream of its own.
 * The sums are the same, bit by bit. */
enum class ReadOrder : uint8_t { kSequential = 0, kSideBySide = 1 };

/**
 * The faster order for one kind of weights, found by trying the other one now and then. It depends on the
 * machine: of two Zen 5 servers that read 51 to 55 GB/s, both with two threads, one gave int4 weights 41 GB/s
 * in order and 54 side by side, the other 55 and 50, and bfloat16 ones 50 and 42.
 *
 * A trial is two products of the same shape, one in each order, so that nothing else differs. The first few
 * come at once, then one in 61 products begins a trial, which costs less than a half of a percent where the
 * other order takes a quarter longer. One caller at a time, as ThreadPool.
 */
class ReadOrderChoice {
 public:
  /** Rows, inputs and outputs of a product. */
  using Shape = std::array<int64_t, 3>;

  /** Calls product(order), and takes its time where that is wanted. */
  template <class F>
  void run(const Shape& shape, const F& product) {
    const bool isTrial = belongsToTrial(shape);
    const ReadOrder order = isTrial && !isSecond_ ? other() : order_;
    if (!isTrial) {
      product(order);
      return;
    }
    const auto begin = std::chrono::steady_clock::now();
    product(order);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    finishHalf(seconds.count());
  }

  ReadOrder order() const { return order_; }
  /** From now on always this one, for tests and benchmarks. */
  void fix(ReadOrder order) {
    order_ = order;
    isFixed_ = true;
  }
  /** Takes note that a product took the other order `ratio` times as long as this one. */
  void note(double ratio);

 private:
  ReadOrder other() const {
    return order_ == ReadOrder::kSequential ? ReadOrder::kSideBySide : ReadOrder::kSequential;
  }
  /** Whether a product of this shape is to be timed. */
  bool belongsToTrial(const Shape& shape);
  void finishHalf(double seconds);

  ReadOrder order_ = ReadOrder::kSequential;
  bool isFixed_ = false;
  // The trial that has begun.
  bool isUnderWay_ = false, isSecond_ = false;
  Shape shape_{};
  double otherSeconds_ = 0;
  // Products since the last trial began, and trials in all.
  int64_t waited_ = 0, trials_ = 0;
  // The logarithm of how many times as long the other order takes, over the last trials.
  double loss_ = 0;
};

}  // namespace persimmon
