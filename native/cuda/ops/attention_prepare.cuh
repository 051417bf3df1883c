// What comes before attention, a warp for each head of each token: LayerNorm of q and k, rotation, the taps,
// and the way of k and v to the cache. 12 bytes a dimension of a head read, and the rounded size of k and v
// written.
#pragma once

#include "cuda/ops/attention_call.cuh"

namespace persimmon::cuda {

/** LayerNorm, the tap before rotation, and rotation of a q or k, by a warp; the result lies in `row`. */
__device__ __forceinline__ void prepareRow(float* row, const float* x, const cpu::Weight& weight,
                                           const cpu::Weight& bias, float* tap, const AttendCall& call,
                                           int64_t angles) {
  const int32_t width = call.shape.headDim;
  // 32 bytes of angles a lane: on their way while the norm is computed.
  if (laneOfWarp() * 8 < call.shape.rotaryDims / 2) {
    askFor(call.work.cos + angles + laneOfWarp() * 8);
    askFor(call.work.sin + angles + laneOfWarp() * 8);
  }
  if (weight.data != nullptr) {
    normRow(row, x, weight, bias, width, call.work.epsilon);
  } else {
    copyRow(row, x, width);
  }
  __syncwarp();
  if (tap != nullptr) copyRow(tap, row, width);
  __syncwarp();
  rotateRow(row, row, call.work.cos + angles, call.work.sin + angles, width, call.shape.rotaryDims);
  __syncwarp();
}

__device__ __forceinline__ void prepareQuery(float* row, const AttendCall& call, int64_t number,
                                             int64_t angles, bool writesTaps) {
  const HeadWork& work = call.work;
  const int64_t width = call.shape.headDim, at = number * width;
  prepareRow(row, work.qkv + 3 * at, work.qWeight, work.qBias,
             writesTaps && work.taps.q != nullptr ? work.taps.q + at : nullptr, call, angles);
  if (writesTaps && work.taps.qRot != nullptr) copyRow(work.taps.qRot + at, row, call.shape.headDim);
}

/** `row`: memory for the warp to work in. */
__device__ __forceinline__ void appendKey(float* row, const AttendCall& call, int64_t number, int64_t angles,
                                          int64_t slot) {
  const HeadWork& work = call.work;
  const int64_t width = call.shape.headDim, at = number * width;
  prepareRow(row, work.qkv + 3 * at + width, work.kWeight, work.kBias,
             work.taps.k != nullptr ? work.taps.k + at : nullptr, call, angles);
  if (work.taps.kRot != nullptr) copyRow(work.taps.kRot + at, row, call.shape.headDim);
  storeRow(call.cache.dtype, call.cache.keys, call.cache.keyScales, slot, row, call.shape.headDim);
}

__device__ __forceinline__ void appendValue(const AttendCall& call, int64_t number, int64_t slot) {
  const int64_t width = call.shape.headDim, at = number * width;
  const float* x = call.work.qkv + 3 * at + 2 * width;
  if (call.work.taps.v != nullptr) copyRow(call.work.taps.v + at, x, call.shape.headDim);
  storeRow(call.cache.dtype, call.cache.values, call.cache.valueScales, slot, x, call.shape.headDim);
}

namespace {

/** Norms, rotation and append of every head of every token, a warp for each; before tokens that see one
 * another. */
__global__ void prepareKernel(AttendCall call, float* qRot) {
  PERSIMMON_DYNAMIC_SHARED(float, rows);
  waitForPrevious();
  if (*call.inside == 0) return;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, warps = static_cast<int>(blockDim.x) / kWarp;
  float* row = rows + warp * call.shape.headDim;
  const int64_t number = int64_t{blockIdx.x} * warps + warp;
  if (number >= call.shape.tokens * call.shape.heads) return;
  const int64_t token = number / call.shape.heads;
  const int32_t position = call.places.positions[token];
  const int64_t angles = int64_t{position} * (call.shape.rotaryDims / 2);
  const int64_t slot = cacheRow(call.cache, call.shape.heads, call.places.sequences[token],
                                static_cast<int32_t>(number % call.shape.heads), position);
  prepareQuery(row, call, number, angles, true);
  copyRow(qRot + number * call.shape.headDim, row, call.shape.headDim);
  __syncwarp();
  appendKey(row, call, number, angles, slot);
  appendValue(call, number, slot);
}

}  // namespace

}  // namespace persimmon::cuda
