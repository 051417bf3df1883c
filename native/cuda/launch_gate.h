// Between the launches of one collective on several GPUs nobody may call what waits for a GPU.
//
// A kernel of NCCL waits for those of the other ranks. A call that takes or gives back memory may wait for
// all GPUs of the process that reach each other's memory, and keeps others out of the driver meanwhile:
// between the first launch and the last it would wait for a kernel that waits for a launch that waits for it.
// (NCCL's issues 70 and 744; its guide advises a process for each GPU for that reason.) So such calls and
// such launches take turns.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace persimmon::cuda {

class LaunchesOwed;

/** A call that may wait for a GPU, for as long as this lives: cudaMalloc, cudaFree, their kin for the host,
 * and what makes and destroys graphs, streams and handles. Waits until no launch is owed. May be nested. */
class MemoryCall {
 public:
  MemoryCall();
  ~MemoryCall();
  /** For how long there has been one without a break; zero where there is none. */
  static std::chrono::steady_clock::duration underWay();
  MemoryCall(const MemoryCall&) = delete;
  MemoryCall& operator=(const MemoryCall&) = delete;
};

/** A question to a GPU, which a MemoryCall would keep waiting: while this lives none begins. */
class Question {
 public:
  /** Nothing where there is a MemoryCall now. */
  static std::optional<Question> tryToAsk();
  Question(Question&& other) noexcept : asks_(std::exchange(other.asks_, false)) {}
  Question& operator=(Question&&) = delete;
  ~Question();

 private:
  Question() = default;
  bool asks_ = true;
};

/** What the ranks of one group have yet to launch of the collective, or graph, that they have met for. */
class LaunchesOwed {
 public:
  /** None are owed any more. */
  ~LaunchesOwed() { giveUp(); }

  /**
   * Waits until nobody is in a MemoryCall, and then asks `begin` whether the ranks go on. If so, `ranks`
   * launches are owed from then on, before any of them can have been made. Returns what `begin` said.
   */
  bool expect(int ranks, const std::function<bool()>& begin);
  /** One has been made, or has failed. */
  void one();
  /** The group has failed: nothing is owed, now or later. */
  void giveUp();

 private:
  int owed_ = 0;
  bool isOver_ = false;
};

/** The launch of one rank; made, or left out, when this ends. */
class OwnLaunch {
 public:
  explicit OwnLaunch(LaunchesOwed& owed) : owed_(&owed) {}
  OwnLaunch(OwnLaunch&& other) noexcept : owed_(std::exchange(other.owed_, nullptr)) {}
  OwnLaunch& operator=(OwnLaunch&&) = delete;
  ~OwnLaunch() {
    if (owed_ != nullptr) owed_->one();
  }

 private:
  LaunchesOwed* owed_;
};

}  // namespace persimmon::cuda
