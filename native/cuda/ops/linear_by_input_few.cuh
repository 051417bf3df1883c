// linearByInput for up to 8 rows: what belongs to an input that is zero in all of them is not read.
//
// A block takes a slice of the inputs and a stripe of the outputs, as wide as what a warp loads at once. It
// lists the live inputs of its slice in their order, its warps take every eighth of the list, and their sums
// are added in the order of the warps. The block that is the last of its stripe to come so far adds the
// slices, in their order. So sums have an order that depends on the shape and on which inputs are zero, and
// repeat bit for bit, whichever block is the last.
//
// Bytes: the weights of live inputs once; activations and partial sums (4 bytes for each output, row and
// slice) stay in the second-level cache. A stripe is 512 bytes of a row: short enough that two or so slices
// of a stripe fall to each multiprocessor and the chance that one has more live inputs than the others is
// small (with 2,000 inputs, a tenth of them live, 7 % are one standard deviation).
#pragma once

#include "cuda/ops/arrivals.cuh"
#include "cuda/ops/partial_sums.cuh"
#include "cuda/ops/weights.cuh"

namespace persimmon::cuda {

constexpr int kLiveWarps = 8;
constexpr int kLiveThreads = kLiveWarps * kWarp;
constexpr int64_t kMostSliceInputs = 1024;
constexpr int64_t kLeastSliceInputs = 256;

/** kColumns neighbours of a row of weights, in one load of 16 or 8 bytes or one element. */
template <class T, int kColumns>
struct ColumnPiece {
  static_assert(kColumns == 1);
  T value;
  __device__ __forceinline__ void load(const T* at) { value = *at; }
  __device__ __forceinline__ void numbers(float (&n)[1]) const {
    if constexpr (std::is_same_v<T, int8_t>) {
      n[0] = static_cast<float>(value);
    } else {
      n[0] = widened(value);
    }
  }
};
template <class T>
struct StreamedPiece {
  uint4 value;
  __device__ __forceinline__ void load(const T* at) { value = loadStreamed(at); }
  __device__ __forceinline__ void numbers(float (&n)[16 / sizeof(T)]) const { widen(value, n); }
};
template <>
struct ColumnPiece<float, 4> : StreamedPiece<float> {};
template <>
struct ColumnPiece<uint16_t, 8> : StreamedPiece<uint16_t> {};

template <>
struct ColumnPiece<int8_t, 16> : StreamedPiece<int8_t> {};
template <>
struct ColumnPiece<int8_t, 8> {
  uint2 value;
  __device__ __forceinline__ void load(const int8_t* at) {
    value = __ldcg(reinterpret_cast<const uint2*>(at));
  }
  __device__ __forceinline__ void numbers(float (&n)[8]) const {
    widenBytes(value.x, n);
    widenBytes(value.y, n + 4);
  }
};

/** Whether input k is not zero in some row. NaN is not zero, -0 is. */
template <int kRows>
__device__ __forceinline__ bool isLive(const float* x, int rows, int64_t inFeatures, int64_t k) {
  uint32_t any = 0;
  PERSIMMON_UNROLL
  for (int r = 0; r < kRows; ++r) {
    if (r < rows) any |= __float_as_uint(x[r * inFeatures + k]) << 1;
  }
  return any != 0;
}

/** The live inputs of a slice, in order, and their activations. */
template <int kRows>
struct LiveInputs {
  int32_t inputs[kMostSliceInputs];
  float x[kRows][kMostSliceInputs];
  int32_t counts[kMostSliceInputs / kWarp];  // of each 32 inputs; then, how many there are before them
  int32_t count;
};

/** By all threads of a block. */
template <int kRows>
__device__ void listLiveInputs(LiveInputs<kRows>& live, const float* x, int rows, int64_t inFeatures,
                               int64_t begin, int64_t end) {
  constexpr int kRounds = static_cast<int>(kMostSliceInputs) / kLiveThreads;
  static_assert(kMostSliceInputs / kWarp == kWarp);  // so that one warp can add up the counts
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp;
  unsigned votes[kRounds];
  PERSIMMON_UNROLL
  for (int round = 0; round < kRounds; ++round) {
    const int64_t k = begin + round * kLiveThreads + thread;
    // The loads of all rounds first: none depends on whether its input is inside.
    const bool isAlive = isLive<kRows>(x, rows, inFeatures, k < end ? k : end - 1);
    votes[round] = __ballot_sync(kAllLanes, isAlive && k < end);
    if (lane == 0) live.counts[(round * kLiveThreads + thread) / kWarp] = __popc(votes[round]);
  }
  __syncthreads();
  if (thread < kWarp) {
    const int own = live.counts[lane];
    int sum = own;
    for (int lanes = 1; lanes < kWarp; lanes *= 2) {
      const int before = __shfl_up_sync(kAllLanes, sum, lanes);
      if (lane >= lanes) sum += before;
    }
    live.counts[lane] = sum - own;
    if (lane == kWarp - 1) live.count = sum;
  }
  __syncthreads();
  PERSIMMON_UNROLL
  for (int round = 0; round < kRounds; ++round) {
    if ((votes[round] >> lane & 1) == 0) continue;
    const int place =
        live.counts[(round * kLiveThreads + thread) / kWarp] + __popc(votes[round] & ((1u << lane) - 1));
    const int64_t k = begin + round * kLiveThreads + thread;
    live.inputs[place] = static_cast<int32_t>(k);
    PERSIMMON_UNROLL
    for (int r = 0; r < kRows; ++r) live.x[r][place] = x[(r < rows ? r : rows - 1) * inFeatures + k];
  }
  __syncthreads();
}

/** The weights of one call, and where the sums of slices go: [slice][row][output]. */
struct ByInputProblem {
  float* partial;
  const float* x;
  int64_t rows, inFeatures, outFeatures, sliceInputs, slices, stripes;
  unsigned long long* traffic;
  /** What the slices of a stripe count themselves in, one for each stripe; null where addPartialSums comes
   * after. */
  unsigned* arrivals;
  PartialSums sums;
};

/** Where element i of a warp's stripe lies in shared memory: lanes write several elements each, in steps that
 * would fall into the same banks. */
__device__ __forceinline__ constexpr int padded(int i) { return i + i / kWarp; }

/**
 * Adds the sums of the warps and writes a row of partial sums. `sums` is what this lane has for columns
 * `place(c)` of the stripe; `shared` has room for the padded stripe of every warp.
 */
template <int kColumns, int kStripe, class Place>
__device__ void writePartial(const ByInputProblem& problem, int64_t slice, int64_t first, int row,
                             float* shared, const float (&sums)[kColumns], const Place& place) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  PERSIMMON_UNROLL
  for (int c = 0; c < kColumns; ++c) shared[warp * padded(kStripe) + padded(place(c))] = sums[c];
  __syncthreads();
  float* to = problem.partial + (slice * problem.rows + row) * problem.outFeatures + first;
  for (int i = static_cast<int>(threadIdx.x); i < kStripe && first + i < problem.outFeatures;
       i += kLiveThreads) {
    float sum = 0.0f;
    for (int w = 0; w < kLiveWarps; ++w) sum += shared[w * padded(kStripe) + padded(i)];
    to[i] = sum;
  }
  __syncthreads();
}

/**
 * By all threads of a block, when it has written its partial sums: the last block of a stripe adds those of
 * all slices.
 */
template <int kRows>
__device__ __forceinline__ void addSlices(const ByInputProblem& problem, int64_t stripe, int64_t first,
                                          int stripeOutputs) {
  if (problem.arrivals == nullptr) return;
  if (!isLastToArrive(problem.arrivals + stripe, static_cast<unsigned>(problem.slices))) return;
  const int64_t left = problem.outFeatures - first;
  const int outputs = static_cast<int>(left < stripeOutputs ? left : stripeOutputs);
  const int64_t count = problem.rows * problem.outFeatures;
  constexpr int kBatch = kRows > 4 ? 8 : 16;  // for registers
  const auto addRow = [&](int64_t r, auto columns) {
    constexpr int kColumns = decltype(columns)::value;
    for (int i = kColumns * static_cast<int>(threadIdx.x); i < outputs; i += kColumns * kLiveThreads)
      problem.sums.template add<kColumns, kBatch>(problem.partial, problem.slices, count,
                                                  r * problem.outFeatures + first + i, first + i);
  };
  for (int64_t r = 0; r < problem.rows; ++r) {
    if (problem.outFeatures % 4 == 0) {
      addRow(r, std::integral_constant<int, 4>());
    } else {
      addRow(r, std::integral_constant<int, 1>());
    }
  }
}

/** kRows is the number of rows, or the next power of two; a lane takes kColumns outputs. */
template <class T, int kRows, int kColumns>
__global__ __launch_bounds__(kLiveThreads, 2) void liveInputsKernel(const T* weight, ByInputProblem problem) {
  constexpr int kStripe = kWarp * kColumns, kBatch = kRows * kColumns >= 32 ? 4 : 8;
  __shared__ LiveInputs<kRows> live;
  __shared__ float shared[kLiveWarps * padded(kStripe)];
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t slice = blockIdx.x / problem.stripes, stripe = blockIdx.x % problem.stripes;
  const int64_t begin = slice * problem.sliceInputs, sliceEnd = begin + problem.sliceInputs;
  const int64_t end = sliceEnd < problem.inFeatures ? sliceEnd : problem.inFeatures;
  waitForPrevious();
  listLiveInputs<kRows>(live, problem.x, static_cast<int>(problem.rows), problem.inFeatures, begin, end);
  const int count = live.count;
  const int64_t column = stripe * kStripe + lane * kColumns;
  const bool inside = column < problem.outFeatures;
  float sums[kRows][kColumns] = {};
  for (int first = warp; first < count; first += kLiveWarps * kBatch) {
    ColumnPiece<T, kColumns> pieces[kBatch];
    PERSIMMON_UNROLL
    for (int b = 0; b < kBatch; ++b) {
      const int i = first + b * kLiveWarps;
      if (i < count && inside) pieces[b].load(weight + live.inputs[i] * problem.outFeatures + column);
    }
    PERSIMMON_UNROLL
    for (int b = 0; b < kBatch; ++b) {
      const int i = first + b * kLiveWarps;
      if (i >= count || !inside) continue;
      float n[kColumns];
      pieces[b].numbers(n);
      PERSIMMON_UNROLL
      for (int r = 0; r < kRows; ++r) {
        const float a = live.x[r][i];
        PERSIMMON_UNROLL
        for (int c = 0; c < kColumns; ++c) sums[r][c] = fmaf(a, n[c], sums[r][c]);
      }
    }
  }
  letNextStart();
  PERSIMMON_UNROLL
  for (int r = 0; r < kRows; ++r) {
    if (r < problem.rows)
      writePartial<kColumns, kStripe>(problem, slice, stripe * kStripe, r, shared, sums[r],
                                      [=](int c) { return lane * kColumns + c; });
  }
  if (stripe == 0 && threadIdx.x == 0) {
    const int64_t rowBytes = problem.outFeatures * static_cast<int64_t>(sizeof(T));
    countTraffic(problem.traffic, count * rowBytes, (end - begin - count) * rowBytes);
  }
  addSlices<kRows>(problem, stripe, stripe * kStripe, kStripe);
}

}  // namespace persimmon::cuda
