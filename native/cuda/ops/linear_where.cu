// linear for the outputs that a gate leaves open. A warp takes the open ones of 32 outputs in turn with its
// three neighbours; an output that is shut in every row is not read.
//
// Bytes: the rows of weights that are open in some row of x, once for up to 8 rows (the CPU reads them once
// for each row); all of them for more rows, which together leave little shut. Limited by memory, and by the
// latency of one row of weights where few are open.
#include "cuda/ops/linear_call.cuh"
#include "cuda/ops/weights.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * kWarp;

/** A gate that is not a number leaves its output open. */
__device__ __forceinline__ bool isShut(float gate) { return gate <= 0.0f; }

/** Sums of one output over what a lane reads, for the rows of a mask. kAligned: weights and activations, and
 * their rows. */
template <class T, bool kAligned>
__device__ __forceinline__ void addOutput(float (&sums)[kFewRows], const T* weight, const float* x,
                                          unsigned open, int64_t inFeatures, int lane) {
  if constexpr (kAligned) {
    constexpr int kNumbers = 16 / static_cast<int>(sizeof(T)), kPieces = 4;
    constexpr int64_t kStep = int64_t{kWarp} * kNumbers;
    for (int64_t begin = lane * kNumbers; begin < inFeatures; begin += kPieces * kStep) {
      uint4 w[kPieces];
      PERSIMMON_UNROLL
      for (int p = 0; p < kPieces; ++p) {
        const int64_t k = begin + p * kStep;
        w[p] = k < inFeatures ? loadStreamed(weight + k) : noWeights();
      }
      PERSIMMON_UNROLL
      for (int p = 0; p < kPieces; ++p) {
        const int64_t k = begin + p * kStep;
        if (k >= inFeatures) continue;
        float n[kNumbers];
        widen(w[p], n);
        PERSIMMON_UNROLL
        for (int r = 0; r < kFewRows; ++r) {
          if ((open >> r & 1) == 0) continue;
          const auto* a = reinterpret_cast<const float4*>(x + r * inFeatures + k);
          PERSIMMON_UNROLL
          for (int i = 0; i < kNumbers; i += 4) {
            const float4 four = a[i / 4];
            sums[r] = fmaf(four.x, n[i], sums[r]);
            sums[r] = fmaf(four.y, n[i + 1], sums[r]);
            sums[r] = fmaf(four.z, n[i + 2], sums[r]);
            sums[r] = fmaf(four.w, n[i + 3], sums[r]);
          }
        }
      }
    }
  } else {
    for (int64_t k = lane; k < inFeatures; k += kWarp) {
      const float n = widened(weight[k]);
      PERSIMMON_UNROLL
      for (int r = 0; r < kFewRows; ++r) {
        if ((open >> r & 1) != 0) sums[r] = fmaf(x[r * inFeatures + k], n, sums[r]);
      }
    }
  }
}

// With five blocks a multiprocessor a thread may have 96 registers; left to itself the compiler takes fewer
// and spills.
template <class T, bool kAligned>
__global__ __launch_bounds__(kThreads, 5) void linearWhereKernel(float* out, const float* x, const T* weight,
                                                                 cpu::Weight bias, const float* gate,
                                                                 int rows, int64_t inFeatures,
                                                                 int64_t outFeatures,
                                                                 unsigned long long* traffic) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t first = int64_t{blockIdx.x} * kWarp, mine = first + lane;
  waitForPrevious();
  unsigned open = 0;  // rows in which output `mine` is
  for (int r = 0; r < rows && mine < outFeatures; ++r) {
    const bool shut = isShut(gate[r * outFeatures + mine]);
    if (!shut) open |= 1u << r;
    if (shut && warp == 0) out[r * outFeatures + mine] = 0.0f;
  }
  const unsigned outputs = __ballot_sync(kAllLanes, open != 0);
  unsigned left = outputs;
  for (int turn = 0; left != 0; ++turn, left &= left - 1) {
    if (turn % kWarps != warp) continue;
    const int output = __ffs(static_cast<int>(left)) - 1;
    const unsigned openRows = __shfl_sync(kAllLanes, open, output);
    const int64_t o = first + output;
    float sums[kFewRows] = {};
    addOutput<T, kAligned>(sums, weight + o * inFeatures, x, openRows, inFeatures, lane);
    PERSIMMON_UNROLL
    for (int r = 0; r < kFewRows; ++r) {
      if ((openRows >> r & 1) == 0) continue;
      const float sum = warpSum(sums[r]);
      if (lane == 0) out[r * outFeatures + o] = sum + biasOf(bias, o);
    }
  }
  if (threadIdx.x == 0) {
    const int64_t rowBytes = inFeatures * static_cast<int64_t>(sizeof(T)), found = __popc(outputs);
    const int64_t here = outFeatures - first < kWarp ? outFeatures - first : kWarp;
    countTraffic(traffic, found * rowBytes, (here - found) * rowBytes);
  }
}

__global__ void closeKernel(float* out, const float* gate, int64_t count) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i >= count) return;
  if (isShut(gate[i])) out[i] = 0.0f;
}

}  // namespace

void linearWhere(Queue& queue, float* out, const float* x, Weight weight, Weight bias, const float* gate,
                 int64_t rows, int64_t inFeatures, int64_t outFeatures) {
  if (rows == 0 || outFeatures == 0) return;
  if (rows > kFewRows) {
    linear(queue, out, x, weight, bias, rows, inFeatures, outFeatures);
    const int64_t count = rows * outFeatures;
    launch(queue, closeKernel, blocksFor(count, kThreads), kThreads, {.overlapping = true}, out, gate, count);
    return;
  }
  const auto run = [&](const auto* data) {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(data)>>;
    const bool aligned =
        isAligned(data) && isAligned(x) && inFeatures * static_cast<int64_t>(sizeof(T)) % 16 == 0;
    const auto kernel = aligned ? linearWhereKernel<T, true> : linearWhereKernel<T, false>;
    launch(queue, kernel, blocksFor(outFeatures, kWarp), kThreads, {.overlapping = true}, out, x, data, bias,
           gate, static_cast<int>(rows), inFeatures, outFeatures, trafficOf(queue));
  };
  if (weight.dtype == DType::kBFloat16) {
    run(static_cast<const uint16_t*>(weight.data));
  } else {
    run(static_cast<const float*>(weight.data));
  }
}

}  // namespace persimmon::cuda
