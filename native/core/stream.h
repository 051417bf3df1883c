// A stream runs commands in the order they were enqueued, on a native thread of its own with a pool of
// helpers. JavaScript enqueues and goes on at once.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "arena.h"
#include "thread_pool.h"

namespace persimmon {

// One piece of work. It captures raw pointers: the arena guarantees that they stay valid in stream order.
using Command = std::function<void(ThreadPool&)>;

class Stream {
 public:
  explicit Stream(int threads);
  ~Stream();

  // Drops the commands that have not started, waits for the one that runs, and ends the thread. Later
  // commands are dropped too. Safe to call twice.
  void stop();

  void enqueue(Command command);
  // Blocks until everything enqueued so far has run.
  void synchronize();
  // What went wrong in a command since the last call, empty if nothing did. A command that fails (working
  // memory that the system does not have) leaves its output undefined; whoever reads afterwards asks here.
  std::string takeError();
  int threads() const { return threads_; }
  Arena& arena() { return arena_; }

 private:
  void run();

  const int threads_;
  Arena arena_;
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
