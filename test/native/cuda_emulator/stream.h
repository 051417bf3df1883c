// A stream of the emulated runtime. Also for the emulated NCCL, which is a library of its own: it reaches the
// stream that it is given through virtual functions alone.
#pragma once

#include <functional>

namespace cuda_emulator {

/** Work, and which kernel it is (null: a copy). */
struct Node {
  const void* kernel;
  std::function<void()> run;
  /** Whether it can run; empty where it always can. Asked when it is the first of its stream, by one thread
   * at a time. */
  std::function<bool()> isReady;
};

struct Stream {
  virtual ~Stream() = default;
  virtual void put(Node node) = 0;
  virtual bool isCapturing() const = 0;
  virtual int device() const = 0;
  /** Something has changed that a node may wait for. */
  virtual void tellChange() = 0;
  /** Runs what can run on all streams: a GPU would not wait until somebody wants what it computes. */
  virtual void advance() = 0;
};

}  // namespace cuda_emulator
