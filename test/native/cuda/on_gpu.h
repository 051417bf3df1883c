// Memory of a GPU for tests of cuda/ops.h: vectors that go there and come back. The GPU is the emulated one,
// or a real one where this is compiled by nvcc; the tests are the same.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "check.h"
#include "cuda/ops.h"

namespace check {

/** The queue that all tests share. Ends the process with the reason where there is no GPU. */
persimmon::cuda::Queue& gpu();

/** An array on the GPU, between two guards: writing past an end is noticed by read(). */
template <class T>
class OnGpu {
 public:
  explicit OnGpu(size_t count) : OnGpu(std::vector<T>(count), false) {}
  explicit OnGpu(const std::vector<T>& values) : OnGpu(values, true) {}
  OnGpu(const OnGpu&) = delete;
  OnGpu& operator=(const OnGpu&) = delete;
  ~OnGpu() {
    gpu().synchronize();
    gpu().release(memory_);
  }

  T* data() const { return reinterpret_cast<T*>(memory_ + kGuard); }

  /** The values, once computed; fails the test where a guard has changed. */
  std::vector<T> read() const {
    std::vector<uint8_t> all(bytes_ + 2 * kGuard);
    gpu().copyOut(all.data(), memory_, all.size());
    for (size_t i = 0; i < kGuard; ++i) {
      if (all[i] != kMark || all[all.size() - 1 - i] != kMark) {
        fail(__FILE__, __LINE__, "an op wrote outside of its result");
        break;
      }
    }
    std::vector<T> values(bytes_ / sizeof(T));
    if (bytes_ > 0) std::memcpy(values.data(), all.data() + kGuard, bytes_);
    return values;
  }

 private:
  static constexpr size_t kGuard = 256;
  static constexpr uint8_t kMark = 0xA5;

  OnGpu(const std::vector<T>& values, bool filled) : bytes_(values.size() * sizeof(T)) {
    memory_ = gpu().allocate(bytes_ + 2 * kGuard);
    gpu().fill(memory_, kMark, kGuard);
    gpu().fill(memory_ + kGuard + bytes_, kMark, kGuard);
    if (filled) {
      gpu().copyIn(data(), values.data(), bytes_);
    } else {
      gpu().fill(data(), 0xFF, bytes_);
    }
  }

  size_t bytes_;
  uint8_t* memory_ = nullptr;
};

/** A float32 or bfloat16 weight on the GPU, with the float32 values that it stands for. */
class WeightOnGpu {
 public:
  WeightOnGpu(Random& random, size_t count, DType dtype, float scale = 1, float shift = 0)
      : stored_(random, count, dtype, scale, shift),
        bytes_(std::vector<uint8_t>(static_cast<const uint8_t*>(stored_.weight().data),
                                    static_cast<const uint8_t*>(stored_.weight().data) +
                                        count * (dtype == DType::kFloat32 ? 4 : 2))) {}
  /** On the GPU, and on the host. */
  Weight weight() const { return {bytes_.data(), stored_.weight().dtype}; }
  Weight onHost() const { return stored_.weight(); }
  const std::vector<float>& values() const { return stored_.values(); }

 private:
  StoredWeight stored_;
  OnGpu<uint8_t> bytes_;
};

/** Largest |a - b| / (1 + |b|); infinite if one is NaN and the other not. */
double distance(const std::vector<float>& a, const std::vector<float>& b);

/** The pool of the CPU version that a GPU op is compared with. */
ThreadPool& cpuPool();

/** Has the queue round activations for a while. */
class Medium {
 public:
  Medium() { gpu().setMatmulPrecision(persimmon::MatmulPrecision::kMedium); }
  ~Medium() { gpu().setMatmulPrecision(persimmon::MatmulPrecision::kHighest); }
};

}  // namespace check
