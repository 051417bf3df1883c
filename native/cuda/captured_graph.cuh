// Graphs that a queue has captured, and those that wait for a plan to need one like them.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "cuda/launch_gate.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

// Graphs whose plan has died. A new one of the same kernels in the same order differs in addresses and sizes
// only, and changing the old one takes about a tenth of the time of making it. Which kernels overlap has to
// be the same, too: CUDA's reference does not list that among what it compares.
class IdleGraphs {
 public:
  ~IdleGraphs() {
    const MemoryCall call;
    for (const Entry& entry : entries_) cudaGraphExecDestroy(entry.executable);
  }

  void put(cudaGraphExec_t executable, uint64_t arrangement) {
    if (entries_.size() == kMost) {
      cudaGraphExecDestroy(entries_.front().executable);
      entries_.erase(entries_.begin());
    }
    entries_.push_back({executable, arrangement});
  }

  /** One that now does what `graph` says, or nullptr. */
  cudaGraphExec_t takeUpdated(cudaGraph_t graph, uint64_t arrangement) {
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].arrangement != arrangement) continue;
      const cudaGraphExec_t executable = entries_[i].executable;
      entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(i));
      cudaGraphExecUpdateResultInfo result{};
      if (cudaGraphExecUpdate(executable, graph, &result) == cudaSuccess) return executable;
      (void)cudaGetLastError();
      cudaGraphExecDestroy(executable);
      return nullptr;
    }
    return nullptr;
  }

 private:
  static constexpr size_t kMost = 8;
  struct Entry {
    cudaGraphExec_t executable;
    uint64_t arrangement;
  };
  std::vector<Entry> entries_;
};

// Whose collectives are in a graph; nobody's in most.
struct SharedGraph {
  std::shared_ptr<GraphPartner> partner;
  int64_t number = 0;
};

class CapturedGraph final : public Graph {
 public:
  CapturedGraph(cudaGraphExec_t executable, size_t nodes, uint64_t arrangement,
                std::shared_ptr<IdleGraphs> idle, SharedGraph shared)
      : executable_(executable),
        nodes_(nodes),
        arrangement_(arrangement),
        idle_(std::move(idle)),
        shared_(std::move(shared)) {}
  // On the stream's thread, after everything that was launched before (Plan::~Plan). NCCL ends a communicator
  // only when all graphs are gone that have its collectives in them, so those are not kept.
  ~CapturedGraph() override {
    const MemoryCall call;
    if (shared_.partner == nullptr) {
      idle_->put(executable_, arrangement_);
    } else {
      cudaGraphExecDestroy(executable_);
    }
  }
  size_t nodes() const override { return nodes_; }
  cudaGraphExec_t executable() const { return executable_; }
  const SharedGraph& shared() const { return shared_; }

 private:
  cudaGraphExec_t executable_;
  size_t nodes_;
  uint64_t arrangement_;
  std::shared_ptr<IdleGraphs> idle_;
  SharedGraph shared_;
};

}  // namespace persimmon::cuda
