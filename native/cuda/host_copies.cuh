// Small copies to the host that nobody waits for when they are started: each has pinned memory and an event
// of its own. Making those stops the GPU, so they are used again.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "cuda/launch_gate.h"
#include "cuda/queue.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

class HostCopies : public std::enable_shared_from_this<HostCopies> {
 public:
  ~HostCopies() {
    for (const Place& place : idle_) destroy(place);
  }

  std::shared_ptr<HostCopy> start(cudaStream_t stream, const void* source, size_t bytes) {
    auto copy = std::make_shared<Copy>(shared_from_this(), take(bytes));
    check(cudaMemcpyAsync(copy->place.data, source, bytes, cudaMemcpyDeviceToHost, stream),
          "a copy from the GPU");
    check(cudaEventRecord(copy->place.copied, stream), "an event");
    return copy;
  }

 private:
  static constexpr size_t kLeastBytes = 4096;

  struct Place {
    uint8_t* data = nullptr;
    size_t bytes = 0;
    cudaEvent_t copied = nullptr;
  };

  struct Copy final : HostCopy {
    Copy(std::shared_ptr<HostCopies> from, Place there) : place(there), owner(std::move(from)) {}
    // What is copied there next comes behind this copy in the stream, even if that is still under way.
    ~Copy() override { owner->giveBack(place); }
    const uint8_t* wait() override {
      check(cudaEventSynchronize(place.copied), "a copy from the GPU");
      return place.data;
    }
    const Place place;
    const std::shared_ptr<HostCopies> owner;
  };

  Place take(size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      const auto fits = [bytes](const Place& place) { return place.bytes >= bytes; };
      if (const auto found = std::find_if(idle_.begin(), idle_.end(), fits); found != idle_.end()) {
        const Place place = *found;
        idle_.erase(found);
        return place;
      }
    }
    const MemoryCall call;
    Place place{nullptr, std::max(bytes, kLeastBytes), nullptr};
    check(cudaMallocHost(reinterpret_cast<void**>(&place.data), place.bytes), "pinned memory");
    if (const cudaError_t status = cudaEventCreateWithFlags(&place.copied, cudaEventDisableTiming);
        status != cudaSuccess) {
      cudaFreeHost(place.data);
      check(status, "an event");
    }
    return place;
  }

  // On any thread: JavaScript drops what it does not wait for.
  void giveBack(const Place& place) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(place);
  }

  static void destroy(const Place& place) {
    const MemoryCall call;
    cudaEventDestroy(place.copied);
    cudaFreeHost(place.data);
  }

  std::mutex mutex_;
  std::vector<Place> idle_;
};

}  // namespace persimmon::cuda
