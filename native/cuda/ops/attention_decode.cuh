// Attention of single queries to a cache, split over blocks by keys. A block takes the keys of its split for
// one head of one token and leaves the largest score, the sum of exponentials and the weighted values; the
// last block of a query to come so far brings its splits together, in order.
//
// Bytes: the keys and values of every position once, 4 * headDim * (position + 1) for a head from a bfloat16
// cache; bound by memory. A warp reads several keys with one instruction of 16 bytes a lane, four such of
// keys and four of values at a time.
//
// The number of splits follows from shapes only, so that a captured graph serves every position: the length
// is read here, and cut evenly. Blocks behind the end leave at once, and a text that fits one split is that
// block's alone.
#pragma once

#include "cuda/ops/arrivals.cuh"
#include "cuda/ops/attention_prepare.cuh"

namespace persimmon::cuda {

constexpr int kAttendThreads = 128;
constexpr int kAttendWarps = kAttendThreads / kWarp;
/** A lane for each when they are combined. */
constexpr int kMostSplits = kWarp;
/** Splits whose values are on the way together when they are combined. */
constexpr int kCombined = 16;
/** A split has a multiple of this many keys: what a block's four warps read at once from an int8 cache. */
constexpr int32_t kSplitKeys = 128;

/** Keys [begin, end) of a head 64 wide whose rows lie at multiples of 16 bytes. Leaves the warp's share in
 * lanes 0..64 / kEach - 1, kEach dimensions each: z, and max and sum. */
template <class T>
__device__ __forceinline__ void walkFast(const AttendCall& call, int32_t sequence, int32_t head,
                                         const float* q, int32_t begin, int32_t end, float* zOfWarp,
                                         float2* sumOfWarp) {
  constexpr int kEach = 16 / static_cast<int>(sizeof(T));
  constexpr int kLanes = kFastHeadDim / kEach;  // of a key
  constexpr int kKeys = kWarp / kLanes;         // that a warp reads with one instruction
  constexpr int kSteps = 4;                     // of these at a time
  const int lane = laneOfWarp(), warp = static_cast<int>(threadIdx.x) / kWarp;
  const int group = lane / kLanes, first = lane % kLanes * kEach;
  const T* keys = static_cast<const T*>(call.cache.keys) + first;
  const T* values = static_cast<const T*>(call.cache.values) + first;

  float query[kEach], z[kEach];
  PERSIMMON_UNROLL
  for (int i = 0; i < kEach; ++i) {
    query[i] = q[first + i] * call.scale;
    z[i] = 0;
  }
  float max = -INFINITY, sum = 0;
  for (int32_t from = begin + warp * kSteps * kKeys; from < end; from += kAttendWarps * kSteps * kKeys) {
    // All looked up in the page table before anything is loaded.
    int64_t rows[kSteps];
    PERSIMMON_UNROLL
    for (int step = 0; step < kSteps; ++step) {
      const int32_t key = from + step * kKeys + group;
      rows[step] = cacheRow(call.cache, call.shape.heads, sequence, head, key < end ? key : end - 1);
    }
    uint4 keyBits[kSteps], valueBits[kSteps];
    float keyScale[kSteps], valueScale[kSteps];
    PERSIMMON_UNROLL
    for (int step = 0; step < kSteps; ++step) {
      const int32_t key = from + step * kKeys + group;
      keyBits[step] = valueBits[step] = make_uint4(0, 0, 0, 0);
      keyScale[step] = valueScale[step] = 0;
      if (key < end) {
        const int64_t row = rows[step];
        keyBits[step] = *reinterpret_cast<const uint4*>(keys + row * kFastHeadDim);
        valueBits[step] = *reinterpret_cast<const uint4*>(values + row * kFastHeadDim);
        if constexpr (kHasScales<T>) {
          keyScale[step] = call.cache.keyScales[row];
          valueScale[step] = call.cache.valueScales[row];
        }
      }
    }
    float score[kSteps];
    float largest = max;
    PERSIMMON_UNROLL
    for (int step = 0; step < kSteps; ++step) {
      float key[kEach];
      widen(keyBits[step], key);
      float dot = 0;
      PERSIMMON_UNROLL
      for (int i = 0; i < kEach; ++i) dot = fmaf(query[i], key[i], dot);
      PERSIMMON_UNROLL
      for (int lanes = kLanes / 2; lanes > 0; lanes /= 2) dot += __shfl_xor_sync(kAllLanes, dot, lanes);
      if constexpr (kHasScales<T>) dot *= keyScale[step];
      score[step] = from + step * kKeys + group < end ? dot : -INFINITY;
      largest = fmaxf(largest, score[step]);
    }
    const float base = exponentBase(largest), shrink = exp2f(max - base);
    max = largest;
    sum *= shrink;
    PERSIMMON_UNROLL
    for (int i = 0; i < kEach; ++i) z[i] *= shrink;
    PERSIMMON_UNROLL
    for (int step = 0; step < kSteps; ++step) {
      float share = exp2f(score[step] - base);
      sum += share;
      if constexpr (kHasScales<T>) share *= valueScale[step];
      float value[kEach];
      widen(valueBits[step], value);
      PERSIMMON_UNROLL
      for (int i = 0; i < kEach; ++i) z[i] = fmaf(share, value[i], z[i]);
    }
  }
  // The groups of lanes, two and two.
  PERSIMMON_UNROLL
  for (int lanes = kLanes; lanes < kWarp; lanes *= 2) {
    const float otherMax = __shfl_xor_sync(kAllLanes, max, lanes), largest = fmaxf(max, otherMax);
    const float base = exponentBase(largest), mine = exp2f(max - base), others = exp2f(otherMax - base);
    sum = sum * mine + __shfl_xor_sync(kAllLanes, sum, lanes) * others;
    PERSIMMON_UNROLL
    for (int i = 0; i < kEach; ++i) z[i] = z[i] * mine + __shfl_xor_sync(kAllLanes, z[i], lanes) * others;
    max = largest;
  }
  if (group == 0) {
    PERSIMMON_UNROLL
    for (int i = 0; i < kEach; ++i) zOfWarp[first + i] = z[i];
  }
  if (lane == 0) *sumOfWarp = make_float2(max, sum);
}

/** The same for any width and address: a warp for a key, z in shared memory. */
template <class T>
__device__ __forceinline__ void walkPlain(const AttendCall& call, int32_t sequence, int32_t head,
                                          const float* q, int32_t begin, int32_t end, float* zOfWarp,
                                          float2* sumOfWarp) {
  const int64_t width = call.shape.headDim;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int64_t i = laneOfWarp(); i < width; i += kWarp) zOfWarp[i] = 0;
  float max = -INFINITY, sum = 0;
  for (int32_t key = begin + warp; key < end; key += kAttendWarps) {
    const int64_t row = cacheRow(call.cache, call.shape.heads, sequence, head, key);
    const T* cached = static_cast<const T*>(call.cache.keys) + row * width;
    float score = 0;
    for (int64_t i = laneOfWarp(); i < width; i += kWarp) score = fmaf(q[i], widen(cached[i]), score);
    score = warpSum(score) * call.scale;
    if constexpr (kHasScales<T>) score *= call.cache.keyScales[row];
    const float largest = fmaxf(max, score), base = exponentBase(largest);
    const float shrink = exp2f(max - base);
    float share = exp2f(score - base);
    sum = sum * shrink + share;
    max = largest;
    if constexpr (kHasScales<T>) share *= call.cache.valueScales[row];
    cached = static_cast<const T*>(call.cache.values) + row * width;
    for (int64_t i = laneOfWarp(); i < width; i += kWarp)
      zOfWarp[i] = fmaf(share, widen(cached[i]), zOfWarp[i] * shrink);
  }
  if (laneOfWarp() == 0) *sumOfWarp = make_float2(max, sum);
}

/** Shared memory of attendKernel: the query and each warp's values; a key in one of those at first. */
inline size_t attendSharedBytes(int32_t headDim) {
  return static_cast<size_t>(1 + kAttendWarps) * static_cast<size_t>(headDim) * sizeof(float);
}

/** Asks for what a block reads one after the other, before the kernels before are waited for: a warp for each
 * of the four weights and biases of the norms. */
__device__ __forceinline__ void askForSmall(const AttendCall& call) {
  static_assert(kAttendWarps == 4);
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int32_t i = laneOfWarp() * 8;
  const HeadWork& work = call.work;
  const cpu::Weight& weight = warp == 0   ? work.qWeight
                              : warp == 1 ? work.qBias
                              : warp == 2 ? work.kWeight
                                          : work.kBias;
  if (i < call.shape.headDim) askForElement(weight, i);
  if (threadIdx.x == 0) {
    askFor(call.places.positions);
    askFor(call.places.sequences);
    askFor(call.places.pageTable);
  }
}

/** z of a row from so many splits, by all threads of a block: one round trip to the second-level cache, or
 * two for more than 16. */
__device__ __forceinline__ void combineSplits(const AttendCall& call, int64_t number, int32_t splits) {
  const int lane = laneOfWarp();
  const int32_t width = call.shape.headDim;
  float2 own = make_float2(-INFINITY, 0.0f);
  if (lane < splits) own = __ldcg(call.partialSums + number * call.splits + lane);
  float factor = 0, sum = 0;
  const float* values = call.partialValues + number * call.splits * width;
  for (int32_t begin = 0; begin < width; begin += kAttendThreads) {
    const int32_t i = begin + static_cast<int32_t>(threadIdx.x);
    float z = 0;
    for (int32_t first = 0; first < splits; first += kCombined) {
      float batch[kCombined];
      PERSIMMON_UNROLL
      for (int b = 0; b < kCombined; ++b) {
        const bool isThere = first + b < splits && i < width;
        batch[b] = isThere ? __ldcg(values + int64_t{first + b} * width + i) : 0.0f;
      }
      if (begin == 0 && first == 0) {  // when all has been asked for
        factor = exp2f(own.x - exponentBase(warpMax(own.x)));
        sum = warpSum(own.y * factor);
      }
      PERSIMMON_UNROLL
      for (int b = 0; b < kCombined; ++b)
        z += batch[b] * __shfl_sync(kAllLanes, factor, (first + b) % kMostSplits);
    }
    if (i < width) call.z[number * width + i] = z / sum;
  }
}

namespace {

/** Blocks: x for each head of each token, y for each split. */
template <class T, bool kFast>
__global__ void __launch_bounds__(kAttendThreads, 4) attendKernel(AttendCall call) {
  PERSIMMON_DYNAMIC_SHARED(float, shared);
  __shared__ float2 sums[kAttendWarps];
  const int32_t width = call.shape.headDim;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  if (call.q == nullptr) askForSmall(call);
  waitForPrevious();
  const int64_t number = blockIdx.x, token = number / call.shape.heads;
  const int32_t head = static_cast<int32_t>(number % call.shape.heads),
                split = static_cast<int32_t>(blockIdx.y);
  float* query = shared;
  float* values = shared + width;  // [warps, width]

  const bool inside = call.inside != nullptr ? *call.inside != 0 : areInside(call.places);
  int32_t begin = 0, end = 0, sequence = 0, splits = 1;  // that have keys
  if (inside) {
    sequence = call.places.sequences[token];
    const int32_t position = call.places.positions[token], length = position + 1;
    const int32_t share = (length + call.splits - 1) / call.splits;
    const int32_t splitKeys = (share + kSplitKeys - 1) / kSplitKeys * kSplitKeys;
    splits = (length + splitKeys - 1) / splitKeys;
    if (split >= splits) return;
    begin = split * splitKeys;
    end = length - begin < splitKeys ? length : begin + splitKeys;
    if (call.q != nullptr) {
      for (int32_t i = static_cast<int32_t>(threadIdx.x); i < width; i += kAttendThreads)
        query[i] = call.q[number * width + i];
    } else {
      // The block that has the last key makes and stores it, and its barrier shows it to all of its own
      // threads.
      const int64_t angles = int64_t{position} * (call.shape.rotaryDims / 2);
      if (warp == 0) prepareQuery(query, call, number, angles, split == 0);
      if (end == length && warp != 0) {
        const int64_t slot = cacheRow(call.cache, call.shape.heads, sequence, head, position);
        if (warp == 1) appendKey(values, call, number, angles, slot);
        if (warp == 2) appendValue(call, number, slot);
      }
    }
  } else if (split > 0) {
    return;
  }
  __syncthreads();
  if (inside) {
    if constexpr (kFast) {
      walkFast<T>(call, sequence, head, query, begin, end, values + warp * width, sums + warp);
    } else {
      walkPlain<T>(call, sequence, head, query, begin, end, values + warp * width, sums + warp);
    }
  }
  // Not earlier: what the product behind asks for would be driven out by the keys of a long text.
  letNextStart();
  __syncthreads();

  float2 total = make_float2(-INFINITY, inside ? 0.0f : NAN);
  float factors[kAttendWarps] = {};
  if (inside) {
    for (int i = 0; i < kAttendWarps; ++i) total.x = fmaxf(total.x, sums[i].x);
    PERSIMMON_UNROLL
    for (int i = 0; i < kAttendWarps; ++i) {
      factors[i] = exp2f(sums[i].x - exponentBase(total.x));
      total.y += sums[i].y * factors[i];
    }
  }
  const int64_t partial = number * call.splits + split;
  for (int32_t i = static_cast<int32_t>(threadIdx.x); i < width; i += kAttendThreads) {
    float z = 0;
    if (inside) {
      PERSIMMON_UNROLL
      for (int other = 0; other < kAttendWarps; ++other) z += values[other * width + i] * factors[other];
    }
    if (splits == 1) {
      call.z[number * width + i] = z / total.y;
    } else {
      call.partialValues[partial * width + i] = z;
    }
  }
  if (splits == 1) return;
  if (threadIdx.x == 0) call.partialSums[partial] = total;
  if (isLastToArrive(call.arrivals + number, static_cast<unsigned>(splits)))
    combineSplits(call, number, splits);
}

}  // namespace

}  // namespace persimmon::cuda
