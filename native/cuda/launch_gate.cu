#include "cuda/launch_gate.h"

namespace persimmon::cuda {

namespace {

// Of the process, as the driver's lock is.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  int memoryCalls = 0;
  std::chrono::steady_clock::time_point since;  // when the first of them began
  int owed = 0;
  int questions = 0;
};

// Never freed: memory is given back when the process ends.
Gate& gate() {
  static Gate& only = *new Gate;
  return only;
}

}  // namespace

MemoryCall::MemoryCall() {
  std::unique_lock lock(gate().mutex);
  gate().changed.wait(lock, [] { return gate().owed == 0 && gate().questions == 0; });
  if (gate().memoryCalls++ == 0) gate().since = std::chrono::steady_clock::now();
}

MemoryCall::~MemoryCall() {
  const std::lock_guard lock(gate().mutex);
  if (--gate().memoryCalls == 0) gate().changed.notify_all();
}

std::chrono::steady_clock::duration MemoryCall::underWay() {
  const std::lock_guard lock(gate().mutex);
  if (gate().memoryCalls == 0) return {};
  return std::chrono::steady_clock::now() - gate().since;
}

std::optional<Question> Question::tryToAsk() {
  const std::lock_guard lock(gate().mutex);
  if (gate().memoryCalls > 0) return {};
  ++gate().questions;
  return Question();
}

Question::~Question() {
  if (!asks_) return;
  const std::lock_guard lock(gate().mutex);
  if (--gate().questions == 0) gate().changed.notify_all();
}

bool LaunchesOwed::expect(int ranks, const std::function<bool()>& begin) {
  std::unique_lock lock(gate().mutex);
  gate().changed.wait(lock, [] { return gate().memoryCalls == 0; });
  if (!begin()) return false;
  if (isOver_) return true;
  owed_ += ranks;
  gate().owed += ranks;
  return true;
}

void LaunchesOwed::one() {
  const std::lock_guard lock(gate().mutex);
  if (owed_ == 0) return;
  --owed_;
  if (--gate().owed == 0) gate().changed.notify_all();
}

void LaunchesOwed::giveUp() {
  const std::lock_guard lock(gate().mutex);
  isOver_ = true;
  gate().owed -= std::exchange(owed_, 0);
  if (gate().owed == 0) gate().changed.notify_all();
}

}  // namespace persimmon::cuda
