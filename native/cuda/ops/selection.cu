// The largest of each row, and columns of each row by index.
//
// topK and keepTopK: a block for each row finds the order of the k-th largest in four passes and the last
// column of just that order that is kept in a fifth. topK lists what is kept and gives each of the list its
// rank by counting what is larger: k * k comparisons, spread over many blocks. gather: 8 bytes a result.
#include "cuda/ops.h"
#include "cuda/ops/selection.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

/** NaN is the largest of all. */
__device__ __forceinline__ uint32_t orderWithNaN(float x) { return x != x ? 0xffffffffu : orderOf(x); }

struct Kept {
  uint32_t order;
  int64_t lastEqual;
  __device__ bool operator()(float x, int64_t column) const {
    const uint32_t own = orderWithNaN(x);
    return own > order || (own == order && column <= lastEqual);
  }
};

__device__ __forceinline__ Kept keptOf(const float* row, int64_t width, int64_t k) {
  const Threshold threshold = kthLargest(width, k, [&](int64_t i) { return orderWithNaN(row[i]); });
  const auto isEqual = [&](int64_t i) { return uint64_t{orderWithNaN(row[i]) == threshold.order ? 1u : 0u}; };
  return {threshold.order, crossing(width, isEqual, 0, static_cast<double>(threshold.equals - 1))};
}

/** A block for each row; `x` may be `out`. */
__global__ void __launch_bounds__(kSelectionThreads)
    keepTopKKernel(float* out, const float* x, int64_t width, int64_t k) {
  waitForPrevious();
  const int64_t begin = blockIdx.x * width;
  if (k == 0) {
    for (int64_t i = threadIdx.x; i < width; i += blockDim.x) out[begin + i] = 0;
    return;
  }
  const Kept kept = keptOf(x + begin, width, k);
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) {
    const float value = x[begin + i];
    out[begin + i] = kept(value, i) ? value : 0.0f;
  }
}

/** A block for each row: listed[row] = the columns of the k largest, in order of column. */
__global__ void __launch_bounds__(kSelectionThreads)
    listTopKKernel(int32_t* listed, const float* x, int64_t width, int64_t k) {
  waitForPrevious();
  const float* row = x + blockIdx.x * width;
  const Kept kept = keptOf(row, width, k);
  listKept(listed + blockIdx.x * k, 0, width, [&](int64_t i) { return kept(row[i], i); });
}

/** A block for each 256 of the list of a row: each goes to the place that the number of larger ones gives. */
__global__ void orderTopKKernel(float* values, int32_t* columns, const int32_t* listed, const float* x,
                                int64_t width, int64_t k, int64_t pieces) {
  __shared__ uint64_t others[kThreads];
  waitForPrevious();
  const int64_t row = blockIdx.x / pieces, mine = blockIdx.x % pieces * kThreads + threadIdx.x;
  const float* numbers = x + row * width;
  const int32_t* list = listed + row * k;
  const auto rankAt = [&](int64_t i) {
    return rankOf(orderWithNaN(numbers[list[i]]), static_cast<uint32_t>(list[i]));
  };
  const uint64_t own = mine < k ? rankAt(mine) : 0;
  int64_t larger = 0;
  for (int64_t from = 0; from < k; from += kThreads) {
    others[threadIdx.x] = from + threadIdx.x < k ? rankAt(from + threadIdx.x) : 0;
    __syncthreads();
    for (int i = 0; i < kThreads; ++i) larger += others[i] > own ? 1 : 0;
    __syncthreads();
  }
  if (mine >= k) return;
  columns[row * k + larger] = list[mine];
  values[row * k + larger] = numbers[list[mine]];
}

__global__ void gatherKernel(float* out, const float* x, const int32_t* columns, int64_t rows, int64_t width,
                             int64_t count) {
  waitForPrevious();
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows * count; i += stride) {
    const int32_t column = columns[i % count];
    out[i] = column >= 0 && column < width ? x[i / count * width + column] : NAN;
  }
}

}  // namespace

void topK(Queue& queue, float* values, int32_t* columns, const float* x, int64_t rows, int64_t width,
          int64_t k) {
  if (rows * k == 0) return;
  auto* listed = reinterpret_cast<int32_t*>(
      queue.scratch(static_cast<size_t>(rows) * static_cast<size_t>(k) * sizeof(int32_t)));
  launch(queue, listTopKKernel, blocksFor(rows, 1), selectionThreads(width), {.overlapping = true}, listed, x,
         width, k);
  const int64_t pieces = (k + kThreads - 1) / kThreads;
  launch(queue, orderTopKKernel, blocksFor(rows * pieces, 1), kThreads, {.overlapping = true}, values,
         columns, listed, x, width, k, pieces);
}

void keepTopK(Queue& queue, float* out, const float* x, int64_t rows, int64_t width, int64_t k) {
  if (rows * width == 0) return;
  launch(queue, keepTopKKernel, blocksFor(rows, 1), selectionThreads(width), {.overlapping = true}, out, x,
         width, k);
}

void gather(Queue& queue, float* out, const float* x, const int32_t* columns, int64_t rows, int64_t width,
            int64_t count) {
  if (rows * count == 0) return;
  launch(queue, gatherKernel, blocksFor(rows * count, kThreads), kThreads, {.overlapping = true}, out, x,
         columns, rows, width, count);
}

}  // namespace persimmon::cuda
