// The GPUs of a split model as NCCL knows them, and what happens when one of them fails: the others would
// wait for it in a kernel, and nothing but an abort ends that.
#pragma once

#include <cuda_runtime.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/local_communicator.h"
#include "core/stream.h"
#include "cuda/launch_gate.h"
#include "cuda/nccl.h"
#include "cuda/queue.h"

namespace persimmon::cuda {

/**
 * All communicators of one model. Collectives are called by the thread of each rank; a thread of the group
 * looks after them meanwhile, since a rank that waits for its GPU cannot. Whatever fails ends the group for
 * good.
 */
class NcclGroup {
 public:
  /** Connects the streams' GPUs, which takes a second or two. Throws an Error with what NCCL says. */
  NcclGroup(const NcclFunctions& nccl, const std::vector<std::shared_ptr<Stream>>& streams,
            double timeoutSeconds);
  /** On any thread, when no graph holds a collective any more: NCCL waits for that. */
  ~NcclGroup();
  NcclGroup(const NcclGroup&) = delete;
  NcclGroup& operator=(const NcclGroup&) = delete;

  int ranks() const { return static_cast<int>(ranks_.size()); }
  const NcclFunctions& nccl() const { return nccl_; }
  /** Where the ranks' threads meet; closed for good when the group fails. */
  const std::shared_ptr<LocalGroup>& meetings() const { return meetings_; }
  /** What the ranks have yet to launch of what they have met for. */
  LaunchesOwed& launches() { return launches_; }
  Queue& queue(int rank) const { return *ranks_[static_cast<size_t>(rank)]->queue; }

  /**
   * Calls NCCL with the rank's communicator and stream. Throws an Error, and the group has failed, where NCCL
   * refuses.
   */
  void call(int rank, const char* what,
            const std::function<NcclFunctions::Status(void* communicator, void* stream)>& collective);
  /** Puts work that waits for other GPUs on the rank's stream, by calls that may wait for them, too, and no
   * longer than the time allowed. */
  void start(int rank, const std::function<void()>& work);
  /** Such work was put on the rank's stream: it must be done before the time is up. */
  void watch(int rank);
  /**
   * Takes all ranks out of what they wait for: their threads at once, their GPUs by an abort. Whoever reads
   * what the first one was still working on is told.
   */
  void fail(const std::string& why);

 private:
  using Clock = std::chrono::steady_clock;

  struct Rank {
    // Not its owner: a stream whose last owner were one of its own commands would wait for itself.
    std::weak_ptr<Stream> stream;
    std::shared_ptr<Queue> queue;
    cudaStream_t cudaStream = nullptr;
    void* communicator = nullptr;
    // Held during calls of NCCL, so that a communicator is not freed under one.
    std::timed_mutex calling;
    // Behind the last work that waits for others.
    cudaEvent_t done = nullptr;
    std::mutex watching;
    bool isBusy = false;
    Clock::time_point since;
    // When the rank's thread went into a call that may wait for other GPUs, such as a first collective or the
    // launch of a graph; 0: it is in none. Seen without a lock, which the thread holds meanwhile.
    std::atomic<Clock::rep> entered{0};
  };

  static void endLookouts();
  void lookAfter();
  void endLookout();
  /** What is wrong with a rank, empty if nothing is. */
  std::string troubleOf(Rank& rank);
  /** What has become of the last work that waits for others. */
  cudaError_t progressOf(Rank& rank);
  void abort(Rank& rank);
  /** How long the rank's thread has been in a call that may wait for others. */
  static Clock::duration timeInCall(const Rank& rank);
  /** Leave to ask CUDA something; nothing while somebody is in a call that may wait for what only an abort
   * ends, since the question would wait for that call. */
  std::optional<Question> tryToAsk() const;
  /** What has taken too long, empty if nothing has. Found out without CUDA. */
  std::string whoWaitsInACall() const;

  const NcclFunctions& nccl_;
  const std::chrono::duration<double> timeout_;
  const std::shared_ptr<LocalGroup> meetings_;
  LaunchesOwed launches_;
  std::vector<std::unique_ptr<Rank>> ranks_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool isEnding_ = false;
  bool hasFailed_ = false;
  std::vector<std::thread> aborts_;
  std::thread lookout_;
};

}  // namespace persimmon::cuda
