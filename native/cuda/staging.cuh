// Bytes on their way from the host to a GPU.
#pragma once

#include <cstring>

#include "cuda/launch_gate.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

// Two halves of pinned memory: while the GPU copies out of one, the next bytes are written to the other. 8
// MiB take 0.15 ms over PCIe 5, long against the 10 us of starting a copy.
constexpr size_t kHalfBytes = size_t{8} << 20;

// Pinned memory that bytes pass through.
class Staging {
 public:
  void open() {
    for (Half& half : halves_) {
      check(cudaMallocHost(reinterpret_cast<void**>(&half.data), kHalfBytes), "pinned memory");
      check(cudaEventCreateWithFlags(&half.copied, cudaEventDisableTiming), "an event");
    }
  }
  ~Staging() {
    const MemoryCall call;
    for (Half& half : halves_) {
      if (half.copied != nullptr) cudaEventDestroy(half.copied);
      if (half.data != nullptr) cudaFreeHost(half.data);
    }
  }

  void copyIn(cudaStream_t stream, uint8_t* target, const uint8_t* source, size_t bytes) {
    while (bytes > 0) {
      if (used_ == kHalfBytes) turn(stream);
      const size_t piece = bytes < kHalfBytes - used_ ? bytes : kHalfBytes - used_;
      uint8_t* staged = halves_[current_].data + used_;
      std::memcpy(staged, source, piece);
      check(cudaMemcpyAsync(target, staged, piece, cudaMemcpyHostToDevice, stream), "a copy to the GPU");
      used_ += piece;
      target += piece;
      source += piece;
      bytes -= piece;
    }
  }

 private:
  struct Half {
    uint8_t* data = nullptr;
    cudaEvent_t copied = nullptr;
  };

  // Goes on in the other half, as soon as the copies out of it are done.
  void turn(cudaStream_t stream) {
    check(cudaEventRecord(halves_[current_].copied, stream), "an event");
    current_ = 1 - current_;
    check(cudaEventSynchronize(halves_[current_].copied), "a copy to the GPU");
    used_ = 0;
  }

  Half halves_[2];
  int current_ = 0;
  size_t used_ = 0;
};

}  // namespace persimmon::cuda
