// What the rest of the addon knows of a GPU: memory, copies, and graphs. Kernels are behind cuda/ops.h. Plain
// C++, so that it is the same with and without nvcc; queue.cu has the implementation, no_queue.cc takes its
// place in a build without CUDA.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

#include "core/thread_pool.h"

namespace persimmon {
struct JoinedOps;
}

namespace persimmon::cuda {

/** Something that the CUDA runtime refused. */
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct DeviceInfo {
  std::string name;
  /** Counted from 0. */
  int number = 0;
  /** Compute capability: 9 and 0 for an H100. */
  int major = 0;
  int minor = 0;
  int multiprocessors = 0;
  size_t totalBytes = 0;
  /** Whether kernels may begin while the one before ends: from 9.0 on, where the code that runs was compiled
   * for that. Code for 8.0 that the driver translates does not wait. */
  bool overlaps = false;
  /** Version of the cuBLASLt that multiplies many rows, "13.1.1"; empty where our own kernels do. */
  std::string cublasLt;
};

/** Who launches a graph whose collectives other GPUs take part in, each by a graph of its own. */
class GraphPartner {
 public:
  virtual ~GraphPartner() = default;
  /** Calls `start` once all have come to launch the graph of this number; false where one has left. */
  virtual bool launch(int64_t graph, const std::function<void()>& start) = 0;
};

/** A captured segment, ready to be launched as often as one likes. */
class Graph {
 public:
  virtual ~Graph() = default;
  /** Kernels and copies in it. */
  virtual size_t nodes() const = 0;
};

/** What a queue has done so far; for tests and for `describe()`. */
struct QueueCounts {
  int64_t captured = 0;
  int64_t updated = 0;  // of these, those that changed a graph nobody needed any more instead of making one
  int64_t launched = 0;
  int64_t nodes = 0;  // kernels, and copies and fills on the GPU, of the graphs that were launched
  int64_t alone = 0;  // kernels, and copies and fills on the GPU, that were launched outside of a graph
  int64_t copiesIn = 0;
  int64_t copiesOut = 0;
};

/** Bytes on their way to the host. */
class HostCopy {
 public:
  virtual ~HostCopy() = default;
  /** Waits for them alone, not for what was put on the queue later. They stay as long as this object. */
  virtual const uint8_t* wait() = 0;
};

/**
 * One CUDA stream of one GPU. All methods but allocate, whyOver, release, pinned and freeBytes are called by
 * the thread of the persimmon::Stream that owns it. What goes wrong is thrown as an Error.
 */
class Queue {
 public:
  /** A queue on a GPU, or nullptr with the reason: no driver, no such GPU, one that this build has no code
   * for. */
  static std::shared_ptr<Queue> create(int device, std::string& why);
  /** How many GPUs there are; 0 without a driver. */
  static int gpuCount();

  virtual ~Queue() = default;
  virtual const DeviceInfo& info() const = 0;
  /** How products of many rows take their activations: set before the first op. */
  MatmulPrecision matmulPrecision() const { return matmulPrecision_; }
  void setMatmulPrecision(MatmulPrecision precision) { matmulPrecision_ = precision; }
  virtual size_t freeBytes() const = 0;

  /** Memory of the GPU, or nullptr if it has none left, or nothing can be had of it any more (whyOver). */
  virtual uint8_t* allocate(size_t bytes) = 0;
  /** Why there is no memory until the process ends, since a kernel has failed; empty while there may be. */
  virtual std::string whyOver() const = 0;
  /** Gives it back once all that was launched before has run, which it waits for. On the stream's thread, or
   * when that has ended. */
  virtual void release(uint8_t* data) = 0;
  /** Page-locked memory of the host, which a captured copy may read from. */
  virtual std::shared_ptr<uint8_t> pinned(const void* source, size_t bytes) = 0;

  /** From the host. Returns when `source` may change; the copy may still be under way. Not in a capture. */
  virtual void copyIn(void* target, const void* source, size_t bytes) = 0;
  /** From memory of `pinned`, which must stay for as long as a graph may be launched that captured the copy.
   */
  virtual void copyPinned(void* target, const void* source, size_t bytes) = 0;
  /** To the host. Waits until the bytes are there. */
  virtual void copyOut(void* target, const void* source, size_t bytes) = 0;
  /** To memory of its own, without waiting. */
  virtual std::shared_ptr<HostCopy> startCopyOut(const void* source, size_t bytes) = 0;
  virtual void copy(void* target, const void* source, size_t bytes) = 0;
  virtual void fill(void* target, uint8_t value, size_t bytes) = 0;
  virtual void synchronize() = 0;

  /**
   * Memory for one op, which the next op may overwrite; stays where it is for graphs that use it. An op asks
   * for the same amount when it is captured as when it ran before, since there is no allocating in a capture.
   */
  virtual uint8_t* scratch(size_t bytes) = 0;

  /** A copy on the GPU of what an op takes beside its tensors, valid until the next call. Not in a capture.
   */
  virtual uint8_t* arguments(const void* source, size_t bytes) = 0;

  /** From now on until endCapture, nothing runs: what is launched becomes the content of a graph. */
  virtual void beginCapture() = 0;
  virtual std::shared_ptr<Graph> endCapture() = 0;
  /** Leaves a capture that failed. */
  virtual void dropCapture() = 0;
  /**
   * For a collective that was just put on the queue: the graph that is being captured keeps `partner`, which
   * launches it by this number, for as long as it lives. False outside of a capture.
   */
  virtual bool shareCapture(std::shared_ptr<GraphPartner> partner, int64_t number) = 0;
  /** False where it was not launched, since a partner has left. */
  virtual bool launch(Graph& graph) = 0;
  /** Puts these ops on the queue as one kernel. */
  virtual void launch(const JoinedOps& joined) = 0;
  virtual QueueCounts counts() const = 0;

 private:
  MatmulPrecision matmulPrecision_ = MatmulPrecision::kHighest;
};

}  // namespace persimmon::cuda
