// A layerNorm that a product does before its own work: each block for itself, into shared memory, out of the
// second-level cache (16 KiB a row of the 8B, and 16 KiB of weights and biases in bfloat16), while its first
// matrix weights are on the way.
#pragma once

#include "cuda/ops/norm_rows.cuh"
#include "cuda/ops/weights.cuh"

namespace persimmon::cuda {

/** All is aligned to 16 bytes; weight and bias have one type. */
struct NormBefore {
  float* normed = nullptr;  // what the layerNorm alone writes
  const float* x = nullptr;
  cpu::Weight weight{}, bias{};
  int threads = 0;  // normThreads(width)
  float epsilon = 0;
};

/** Asks for the weights and biases before the kernels before are waited for; by all threads of a block. */
__device__ __forceinline__ void askForNorm(const NormBefore& norm, int64_t width) {
  const int64_t sector = 32 / (norm.weight.dtype == cpu::DType::kBFloat16 ? 2 : 4);
  for (int64_t i = threadIdx.x * sector; i < width; i += blockDim.x * sector) {
    askForElement(norm.weight, i);
    askForElement(norm.bias, i);
  }
}

__device__ __forceinline__ float4 fourNumbers(const float* at) {
  return *reinterpret_cast<const float4*>(at);
}
__device__ __forceinline__ float4 fourNumbers(const uint16_t* at) {
  const uint2 words = *reinterpret_cast<const uint2*>(at);
  return make_float4(lowBFloat16(words.x), highBFloat16(words.x), lowBFloat16(words.y),
                     highBFloat16(words.y));
}

/** In place; also to `normed`, where it is not null. */
template <class T, int kBlockWarps>
__device__ __forceinline__ void scaleRow(float* row, float* normed, const T* weight, const T* bias,
                                         int64_t width, RowScale by) {
  for (int64_t i = 4 * threadIdx.x; i < width; i += 4 * kBlockWarps * kWarp) {
    const float4 w = fourNumbers(weight + i), b = fourNumbers(bias + i), x = fourNumbers(row + i);
    const float4 y =
        make_float4(by(x.x) * w.x + b.x, by(x.y) * w.y + b.y, by(x.z) * w.z + b.z, by(x.w) * w.w + b.w);
    *reinterpret_cast<float4*>(row + i) = y;
    if (normed != nullptr) *reinterpret_cast<float4*>(normed + i) = y;
  }
}

/** By all threads of a block, to `to`: shared memory for rows * width floats. The first block also writes
 * `normed`. */
template <int kBlockWarps>
__device__ __forceinline__ void normalizeRows(float* to, const NormBefore& norm, int rows, int64_t width) {
  __shared__ float partial[kWarp];
  const int64_t count = rows * width;
  for (int64_t i = 4 * threadIdx.x; i < count; i += 4 * kBlockWarps * kWarp)
    *reinterpret_cast<float4*>(to + i) = fourNumbers(norm.x + i);
  __syncthreads();
  for (int r = 0; r < rows; ++r) {
    float* row = to + r * width;
    float* normed = blockIdx.x == 0 ? norm.normed + r * width : nullptr;
    const RowScale by = layerNormScale<kBlockWarps>(width, norm.threads, norm.epsilon, partial,
                                                    [&](int64_t i) { return row[i]; });
    if (norm.weight.dtype == cpu::DType::kBFloat16) {
      scaleRow<uint16_t, kBlockWarps>(row, normed, static_cast<const uint16_t*>(norm.weight.data),
                                      static_cast<const uint16_t*>(norm.bias.data), width, by);
    } else {
      scaleRow<float, kBlockWarps>(row, normed, static_cast<const float*>(norm.weight.data),
                                   static_cast<const float*>(norm.bias.data), width, by);
    }
  }
  __syncthreads();
}

}  // namespace persimmon::cuda
