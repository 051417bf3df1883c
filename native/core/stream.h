// A stream runs commands in the order they were enqueued, on a native thread of its own with a pool of
// helpers. JavaScript enqueues and goes on at once. A stream of a GPU has that thread, too: its commands put
// kernels on a cuda::Queue.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "arena.h"
#include "op_record.h"
#include "thread_pool.h"

namespace persimmon::cuda {
class Queue;
}

namespace persimmon {

struct Segment;

// One piece of work. It captures raw pointers: the arena guarantees that they stay valid in stream order.
using Command = std::function<void(ThreadPool&)>;

class Stream {
 public:
  // `gpu`: where the commands compute, or nullptr for the threads themselves.
  explicit Stream(int threads, std::shared_ptr<cuda::Queue> gpu = nullptr,
                  MatmulPrecision precision = MatmulPrecision::kHighest);
  ~Stream();

  // Drops the commands that have not started, waits for the one that runs, and ends the thread. Later
  // commands are dropped too. Safe to call twice.
  void stop();

  void enqueue(Command command);

  // Enqueues an op, and records it in the segment that is being recorded, if there is one, with what it
  // computes. The recording is known to the JavaScript thread only, which makes all of the calls from here to
  // `memory`.
  void launch(Command command, std::string description, OpRecord record = {});
  // Whether plans of a GPU that are recorded from now on join ops (joined_ops.h).
  void setJoinsOps(bool joins) { joinsOps_ = joins; }
  bool joinsOps() const { return joinsOps_; }
  void startRecording(std::shared_ptr<Segment> segment, std::shared_ptr<Arena> arena);
  void stopRecording();
  // From now on until endGroup, launched commands belong to a group, which `cancel` makes void at any time:
  // those that have not begun are left out. What they would have written is undefined.
  int64_t startGroup();
  void endGroup() { group_ = nullptr; }
  void cancel(int64_t group);
  // Whether the group that has been started is void, for commands that take long; nullptr outside of one.
  const std::shared_ptr<std::atomic<bool>>& group() const { return group_; }
  bool isRecording() const { return segment_ != nullptr; }
  // The segment that is being recorded, or nullptr.
  Segment* segment() const { return segment_.get(); }
  // Where new tensors come from: the arena of the plan that is being recorded, or else the stream's own.
  const std::shared_ptr<Arena>& memory() const { return isRecording() ? planArena_ : arena_; }

  // Blocks until everything enqueued so far has run.
  void synchronize();
  // What went wrong in a command since the last call, empty if nothing did. A command that fails (working
  // memory that the system does not have) leaves its output undefined; whoever reads afterwards asks here.
  std::string takeError();
  // As if a command had failed; on any thread.
  void fail(const std::string& error);
  int threads() const { return threads_; }
  cuda::Queue* gpu() const { return gpu_.get(); }
  const std::shared_ptr<cuda::Queue>& sharedGpu() const { return gpu_; }
  // Zeroed memory of the stream's device that no arena has; see MappedMemory::anonymous. Empty on failure.
  MappedMemory reserve(size_t bytes);
  // Uninitialised memory of the stream's device, for arenas. Empty on failure. Of a GPU that has none left
  // the arena's free blocks are given back first, for which the stream is waited for.
  MappedMemory allocate(size_t bytes);
  Arena& arena() { return *arena_; }

 private:
  void run();

  const int threads_;
  const std::shared_ptr<cuda::Queue> gpu_;
  const MatmulPrecision precision_;
  const std::shared_ptr<Arena> arena_;
  std::shared_ptr<Segment> segment_;
  // Whether a group is void. The stream forgets those whose commands have all run.
  std::shared_ptr<std::atomic<bool>> group_;
  std::map<int64_t, std::weak_ptr<std::atomic<bool>>> groups_;
  int64_t lastGroup_ = 0;
  std::shared_ptr<Arena> planArena_;
  bool joinsOps_ = true;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable finished_;
  std::deque<Command> queue_;
  std::string error_;
  bool busy_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace persimmon
