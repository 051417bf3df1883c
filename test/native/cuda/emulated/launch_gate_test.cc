// Launches of several ranks, and calls that wait for GPUs, never at the same time.
#include "cuda/launch_gate.h"

#include <chrono>
#include <future>
#include <optional>

#include "check.h"

namespace {

using persimmon::cuda::LaunchesOwed;
using persimmon::cuda::MemoryCall;
using persimmon::cuda::OwnLaunch;

bool goOn() { return true; }

/** Whether what runs on another thread is still waiting after 50 ms. */
template <class Result>
bool waits(const std::future<Result>& future) {
  return future.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout;
}

std::future<void> memoryCall() {
  return std::async(std::launch::async, [] { const MemoryCall call; });
}

}  // namespace

TEST(memoryCallsWaitUntilAllRanksHaveLaunched) {
  LaunchesOwed launches;
  CHECK(launches.expect(2, goOn));
  const auto call = memoryCall();
  {
    const OwnLaunch first(launches);
  }
  CHECK(waits(call));
  {
    OwnLaunch second(launches);
    const OwnLaunch moved(std::move(second));
    CHECK(waits(call));
  }
  call.wait();
}

TEST(ranksWaitUntilNobodyIsInAMemoryCall) {
  LaunchesOwed launches;
  std::optional<MemoryCall> outer, inner;
  outer.emplace();
  inner.emplace();
  const auto go = std::async(std::launch::async, [&] { return launches.expect(1, goOn); });
  outer.reset();
  CHECK(waits(go));
  inner.reset();
  go.wait();
  launches.one();
}

TEST(nothingIsOwedByRanksThatDoNotGoOn) {
  LaunchesOwed launches;
  CHECK(!launches.expect(2, [] { return false; }));
  memoryCall().wait();
}

TEST(aGroupThatGivesUpKeepsNobodyWaiting) {
  LaunchesOwed launches, others;
  launches.expect(2, goOn);
  const auto call = memoryCall();
  launches.giveUp();
  call.wait();
  // It may still be told of launches, and of meetings.
  launches.one();
  launches.expect(2, goOn);
  memoryCall().wait();
  CHECK(others.expect(1, goOn));
  launches.one();
  const auto last = memoryCall();
  CHECK(waits(last));
  others.one();
  last.wait();
}
