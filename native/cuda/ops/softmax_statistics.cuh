// The maximum of a row and the sum of its exponentials, shared by softmax, logSoftmax and
// gatherLogProbability, which so agree bit for bit. A row is cut into pieces of 4,096, so that one row of
// 262,144 logits has 64 blocks at work; every piece has its own maximum, and the sums are brought to that of
// the row when they are added, in order.
#pragma once

#include "cuda/device.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

constexpr int64_t kSoftmaxPiece = 4096;

struct alignas(8) SoftmaxStatistics {
  float max;
  float sum;
};

inline int64_t softmaxPieces(int64_t width) { return (width + kSoftmaxPiece - 1) / kSoftmaxPiece; }

/** Threads of every block that works on rows of this width: sums are taken in the same order everywhere. */
inline unsigned softmaxThreads(int64_t width) { return width <= 256 ? 64 : 512; }

/** What exponents are taken from: a maximum, but 0 in place of -inf, from which -inf would be NaN instead of
 * 0. */
__device__ __forceinline__ float softmaxBase(float max) { return max == -INFINITY ? 0.0f : max; }

/** Of n numbers, in all threads of a block. NaN is passed over in the maximum, and makes the sum NaN. */
__device__ __forceinline__ SoftmaxStatistics statisticsOfPiece(const float* x, int64_t n, float* partial) {
  float max = -INFINITY;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) max = fmaxf(max, x[i]);
  max = blockMax(max, partial);
  const float base = softmaxBase(max);
  float sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x) sum += expf(x[i] - base);
  return {max, blockSum(sum, partial)};
}

/** Of a whole row, from its pieces, in all threads of a block. */
__device__ __forceinline__ SoftmaxStatistics statisticsOfRow(const SoftmaxStatistics* pieces, int64_t count,
                                                             float* partial) {
  float max = -INFINITY;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x) max = fmaxf(max, pieces[i].max);
  max = blockMax(max, partial);
  float sum = 0;
  for (int64_t i = threadIdx.x; i < count; i += blockDim.x)
    sum += pieces[i].sum * expf(pieces[i].max - softmaxBase(max));
  return {max, blockSum(sum, partial)};
}

__device__ __forceinline__ float logProbability(float x, const SoftmaxStatistics& row) {
  return x - row.max - logf(row.sum);
}

namespace {

/** A block for each piece of each row. */
__global__ void softmaxPiecesKernel(SoftmaxStatistics* statistics, const float* x, int64_t width,
                                    int64_t pieces) {
  __shared__ float partial[kWarp];
  waitForPrevious();
  const int64_t row = blockIdx.x / pieces, begin = blockIdx.x % pieces * kSoftmaxPiece;
  const int64_t n = width - begin < kSoftmaxPiece ? width - begin : kSoftmaxPiece;
  const SoftmaxStatistics found = statisticsOfPiece(x + row * width + begin, n, partial);
  if (threadIdx.x == 0) statistics[blockIdx.x] = found;
}

}  // namespace

/** Statistics of all pieces, [rows, softmaxPieces(width)], in the queue's scratch. At least one row and
 * column. */
inline SoftmaxStatistics* softmaxStatistics(Queue& queue, const float* x, int64_t rows, int64_t width) {
  const int64_t count = rows * softmaxPieces(width);
  auto* statistics = reinterpret_cast<SoftmaxStatistics*>(
      queue.scratch(static_cast<size_t>(count) * sizeof(SoftmaxStatistics)));
  launch(queue, softmaxPiecesKernel, blocksFor(count, 1), softmaxThreads(width), {.overlapping = true},
         statistics, x, width, softmaxPieces(width));
  return statistics;
}

}  // namespace persimmon::cuda
