// Between element types, random numbers, and counts of weights: one pass over memory each.
#include "core/scramble.h"
#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

/** Exact: float32 has every float16 number, subnormal ones included. */
__device__ float fromFloat16(uint16_t bits) {
  const uint32_t sign = uint32_t{bits & 0x8000u} << 16, exponent = bits >> 10 & 31, fraction = bits & 1023;
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
  if (exponent != 0) return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = static_cast<float>(fraction) * 5.9604644775390625e-8f;  // 2^-24
  return sign != 0 ? -magnitude : magnitude;
}

__device__ float valueAt(const void* x, DType from, int64_t i) {
  switch (from) {
    case DType::kBFloat16:
      return fromBFloat16(static_cast<const uint16_t*>(x)[i]);
    case DType::kFloat16:
      return fromFloat16(static_cast<const uint16_t*>(x)[i]);
    case DType::kInt32:
      return static_cast<float>(static_cast<const int32_t*>(x)[i]);
    default:
      return static_cast<const float*>(x)[i];
  }
}

__global__ void convertKernel(void* out, DType to, const void* x, DType from, int64_t count) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i >= count) return;
  const float value = valueAt(x, from, i);
  if (to == DType::kFloat32) {
    static_cast<float*>(out)[i] = value;
  } else {
    static_cast<uint16_t*>(out)[i] = toBFloat16(value);
  }
}

__global__ void fillNormalKernel(void* out, DType dtype, int64_t count, float mean, float deviation,
                                 uint64_t seed) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i >= count) return;
  // Two roundings, as on the CPU: no fused multiply-add.
  const float spread = __fmul_rn(deviation, nearNormal(seed + static_cast<uint64_t>(i)));
  const float value = mean + spread;
  if (dtype == DType::kFloat32) {
    static_cast<float*>(out)[i] = value;
  } else {
    static_cast<uint16_t*>(out)[i] = static_cast<uint16_t>(__float_as_uint(value) >> 16);
  }
}

__global__ void countNonFiniteWeightsKernel(int32_t* out, Weight x, int64_t count) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  int32_t total = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride)
    total += (__float_as_uint(element(x, i)) & 0x7f800000u) == 0x7f800000u ? 1 : 0;
  // At most 2^31 - 1, without an overflow on the way: nobody needs to know more than that there are many.
  if (total > 0 && *out < 1 << 30) atomicAdd(out, total);
}

__global__ void readKernel(const uint4* x, int64_t count, unsigned* sink) {
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  unsigned all = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride) {
    const uint4 four = __ldcs(x + i);
    all ^= four.x ^ four.y ^ four.z ^ four.w;
  }
  if (all == 0x9e3779b9u) *sink = all;  // so that the reads are not left out
}

}  // namespace

void convert(Queue& queue, void* out, DType to, const void* x, DType from, int64_t count) {
  if (count == 0) return;
  if (to == from) return queue.copy(out, x, static_cast<size_t>(count) * (to == DType::kFloat32 ? 4 : 2));
  launch(queue, convertKernel, blocksFor(count, kThreads), kThreads, {.overlapping = true}, out, to, x, from,
         count);
}

void fillNormal(Queue& queue, void* out, DType dtype, int64_t count, float mean, float deviation,
                uint64_t seed) {
  if (count == 0) return;
  launch(queue, fillNormalKernel, blocksFor(count, kThreads), kThreads, {.overlapping = true}, out, dtype,
         count, mean, deviation, seed);
}

void countNonFiniteWeights(Queue& queue, int32_t* out, Weight x, int64_t count) {
  queue.fill(out, 0, sizeof *out);
  if (count == 0) return;
  launch(queue, countNonFiniteWeightsKernel, blocksFor(count, kThreads * 16), kThreads, {}, out, x, count);
}

void weightTraffic(Queue& queue, int32_t* out) { queue.copy(out, trafficOf(queue), 16); }

void readBandwidth(Queue& queue, float* out, const void* data, size_t bytes) {
  const auto count = static_cast<int64_t>(bytes / sizeof(uint4));
  auto* sink = reinterpret_cast<unsigned*>(queue.scratch(sizeof(unsigned)));
  const auto blocks = static_cast<unsigned>(queue.info().multiprocessors * 16);
  const float seconds = timed(queue, [&] {
    launch(queue, readKernel, blocks, kThreads, {}, static_cast<const uint4*>(data), count, sink);
  });
  const float rate = static_cast<float>(static_cast<double>(bytes) / 1e9 / static_cast<double>(seconds));
  queue.copyIn(out, &rate, sizeof rate);
}

}  // namespace persimmon::cuda
