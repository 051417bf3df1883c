// What the ranks of a model that is split exchange in the middle of a forward pass. Every rank calls the same
// functions in the same order, on the thread of its own stream.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "thread_pool.h"

namespace persimmon {

// In the CPU's memory: LocalCommunicator and MpiCommunicator, by meetings (MeetingCommunicator). Between
// GPUs: NcclCommunicator (cuda/nccl_communicator.h), whose ranks meet to agree, and whose GPUs do the rest.
class Communicator {
 public:
  Communicator(int rank, int ranks) : rank_(rank), ranks_(ranks) {}
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int ranks() const { return ranks_; }

  // A pass begins. The ranks must agree on its number and on the checksum of what it works on.
  virtual void beginPass(int64_t pass, int64_t checksum) = 0;
  // This rank has done all of a pass that it will do. A rank that leaves early (cancelled, or an op failed)
  // makes the pass void: from there on the collectives of all ranks do nothing, until the next pass begins.
  // `error` is what went wrong on this rank, or empty; throws what went wrong on another.
  virtual void endPass(const std::string& error) = 0;
  // Why nothing can be done with it any more; empty while it can. On any thread.
  virtual std::string over() const { return ""; }

  // out = the sum of the x of all ranks, the same bits on all: added in the order of ranks, or in that of
  // NCCL.
  virtual void allReduce(ThreadPool& pool, float* out, const float* x, int64_t count) = 0;
  // out [rows, total] = the x [rows, width of the rank] of all ranks side by side; see partOf for the widths.
  virtual void allGather(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t total) = 0;
  // data of all ranks = that of `root`.
  virtual void broadcast(void* data, int64_t bytes, int root) = 0;

 private:
  const int rank_;
  const int ranks_;
};

// A part of an axis: parts are contiguous and equal, but that the last may be shorter.
struct Part {
  int64_t first;
  int64_t count;
};
Part partOf(int64_t total, int rank, int ranks);

}  // namespace persimmon
