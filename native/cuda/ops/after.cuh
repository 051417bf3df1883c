// What a product of few rows does with a result beside storing it: the op behind it, joined
// (core/joined_ops.h).
#pragma once

#include "cuda/device.cuh"

namespace persimmon::cuda {

/** Computed as the ops alone do (elementwise.cu), to the bit. */
__device__ __forceinline__ float reluSquared(float x) {
  const float positive = x < 0 ? 0.0f : x;
  return positive * positive;
}

/** `out`, which may be null, becomes addend + the result, or without an addend the result's squared ReLU. */
struct After {
  float* out = nullptr;
  const float* addend = nullptr;

  /** Stores element i of the result. What it is added to is read by the same thread, before anything is
   * written over it. */
  __device__ __forceinline__ void store(float* result, int64_t i, float value) const {
    const float other = addend != nullptr ? addend[i] : 0.0f;
    result[i] = value;
    if (out != nullptr) out[i] = addend != nullptr ? other + value : reluSquared(value);
  }
};

}  // namespace persimmon::cuda
