// Finding elements of a row by rank or by a running sum, by one block. Counts and masses are whole numbers,
// so that sums are exact in any order, and the results are those of a full sort.
#pragma once

#include "cuda/device.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

/** Threads of a block that takes a whole row: fewer for a narrow one, which barriers of many would only slow
 * down. */
constexpr int kSelectionThreads = 1024;
inline unsigned selectionThreads(int64_t width) { return width <= 1024 ? 128 : kSelectionThreads; }

/** A number as an unsigned one of the same order; -0 as 0. Not for NaN. 0 and 0xffffffff stand for no number.
 */
__device__ __forceinline__ uint32_t orderOf(float x) {
  const uint32_t bits = __float_as_uint(x == 0.0f ? 0.0f : x);
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

/** The number with this order. */
__device__ __forceinline__ float numberOf(uint32_t order) {
  return __uint_as_float((order & 0x80000000u) != 0 ? order & 0x7fffffffu : ~order);
}

/** Larger for a larger element, and of equal ones for the lower column. */
__device__ __forceinline__ uint64_t rankOf(uint32_t order, uint32_t column) {
  return uint64_t{order} << 32 | static_cast<uint32_t>(~column);
}

/** The sum over the block, in all threads. */
__device__ __forceinline__ uint64_t totalOfBlock(uint64_t x) {
  __shared__ uint64_t partial[kWarp];
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(kAllLanes, x, lanes);
  __syncthreads();  // `partial` of the call before
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = x;
  __syncthreads();
  uint64_t total = 0;
  for (unsigned warp = 0; warp < blockDim.x / kWarp; ++warp) total += partial[warp];
  return total;
}

/** The part of [0, n) that this thread's warp takes: warps have theirs one after another. */
struct WarpShare {
  int64_t begin, end;
};
__device__ __forceinline__ WarpShare shareOf(int64_t n, int64_t warp) {
  const int64_t warps = blockDim.x / kWarp;
  const int64_t size = ((n + warps - 1) / warps + kWarp - 1) / kWarp * kWarp;
  const int64_t begin = warp * size < n ? warp * size : n;
  return {begin, n - begin < size ? n : begin + size};
}

/** An order and how many elements of just that order are among the k largest. */
struct Threshold {
  uint32_t order;
  int64_t equals;
};

/** That of the k-th largest of n elements, 1 <= k <= n, by digits of 8 bits from the top; orderAt(i): of
 * element i. */
template <class OrderAt>
__device__ Threshold kthLargest(int64_t n, int64_t k, OrderAt orderAt) {
  constexpr int kDigits = 256, kEach = kDigits / kWarp;
  __shared__ int counts[kDigits];
  __shared__ uint32_t digit;
  __shared__ int64_t stillWanted;
  uint32_t found = 0, mask = 0;
  int64_t wanted = k;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = static_cast<int>(threadIdx.x); i < kDigits; i += static_cast<int>(blockDim.x)) counts[i] = 0;
    __syncthreads();
    for (int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      const uint32_t order = orderAt(i);
      if ((order & mask) == found) atomicAdd(&counts[order >> shift & 255u], 1);
    }
    __syncthreads();
    if (threadIdx.x < kWarp) {
      // Lane 0 has the largest digits.
      const int lane = static_cast<int>(threadIdx.x), top = kDigits - 1 - lane * kEach;
      int64_t mine = 0;
      for (int i = 0; i < kEach; ++i) mine += counts[top - i];
      int64_t upTo = mine;
      for (int lanes = 1; lanes < kWarp; lanes *= 2) {
        const int64_t other = __shfl_up_sync(kAllLanes, upTo, static_cast<unsigned>(lanes));
        if (lane >= lanes) upTo += other;
      }
      int64_t before = upTo - mine;
      if (before < wanted && wanted <= upTo) {
        int at = top;
        while (before + counts[at] < wanted) before += counts[at--];
        digit = static_cast<uint32_t>(at);
        stillWanted = wanted - before;
      }
    }
    __syncthreads();
    found |= digit << shift;
    mask |= 255u << shift;
    wanted = stillWanted;
  }
  return {found, wanted};
}

/**
 * The first i of [0, n) at which `behind` and the running sum of massAt(0), massAt(1)... exceed share * (the
 * sum of all) + offset; where rounding hides it, the last with any mass.
 */
template <class MassAt>
__device__ int64_t crossing(int64_t n, MassAt massAt, double share, double offset, uint64_t behind = 0) {
  __shared__ uint64_t sums[kWarp];
  __shared__ int64_t found;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  const WarpShare own = shareOf(n, warp);
  uint64_t sum = 0;
  for (int64_t i = own.begin + lane; i < own.end; i += kWarp) sum += massAt(i);
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
  if (lane == 0) sums[warp] = sum;
  __syncthreads();
  if (warp == 0) {
    uint64_t total = 0;
    for (int i = 0; i < warps; ++i) total += sums[i];
    const double target = share * static_cast<double>(total) + offset;
    // The warp in whose share it is, and what lies before.
    uint64_t before = behind, upTo = behind;
    int chosen = 0;
    for (int i = 0; i < warps && !(static_cast<double>(upTo) > target); ++i) {
      if (sums[i] == 0) continue;
      chosen = i;
      before = upTo;
      upTo += sums[i];
    }
    const WarpShare part = shareOf(n, chosen);
    int64_t last = 0;
    for (int64_t from = part.begin; from < part.end; from += kWarp) {
      const uint64_t mass = from + lane < part.end ? massAt(from + lane) : 0;
      uint64_t running = mass;
      for (int lanes = 1; lanes < kWarp; lanes *= 2) {
        const uint64_t other = __shfl_up_sync(kAllLanes, running, static_cast<unsigned>(lanes));
        if (lane >= lanes) running += other;
      }
      const unsigned any = __ballot_sync(kAllLanes, mass > 0);
      const unsigned over =
          __ballot_sync(kAllLanes, mass > 0 && static_cast<double>(before + running) > target);
      if (any != 0) last = from + 31 - __clz(static_cast<int>(any));
      if (over != 0) {
        last = from + __ffs(static_cast<int>(over)) - 1;
        break;
      }
      before += __shfl_sync(kAllLanes, running, kWarp - 1);
    }
    if (lane == 0) found = last;
  }
  __syncthreads();
  return found;
}

/** Writes every i of [first, end) with keeps(i) to the list, in order. */
template <class Keeps>
__device__ void listKept(int32_t* list, int64_t first, int64_t end, Keeps keeps) {
  __shared__ int64_t counts[kWarp];
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const WarpShare share = shareOf(end - first, warp), own = {first + share.begin, first + share.end};
  int64_t count = 0;
  for (int64_t from = own.begin; from < own.end; from += kWarp)
    count += __popc(__ballot_sync(kAllLanes, from + lane < own.end && keeps(from + lane)));
  if (lane == 0) counts[warp] = count;
  __syncthreads();
  int64_t at = 0;
  for (int i = 0; i < warp; ++i) at += counts[i];
  // Several votes before what they keep is stored: the next loads would wait for the stores.
  constexpr int kVotes = 8;
  for (int64_t begin = own.begin; begin < own.end; begin += kVotes * kWarp) {
    unsigned kept[kVotes];
    PERSIMMON_UNROLL
    for (int v = 0; v < kVotes; ++v) {
      const int64_t i = begin + v * kWarp + lane;
      kept[v] = __ballot_sync(kAllLanes, i < own.end && keeps(i));
    }
    PERSIMMON_UNROLL
    for (int v = 0; v < kVotes; ++v) {
      if ((kept[v] >> lane & 1) != 0)
        list[at + __popc(kept[v] & ((1u << lane) - 1))] = static_cast<int32_t>(begin + v * kWarp + lane);
      at += __popc(kept[v]);
    }
  }
}

}  // namespace persimmon::cuda
