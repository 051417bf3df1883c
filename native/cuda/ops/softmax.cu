// Softmax and log-softmax over rows, and the log-probability of one id of each. 12 bytes read and 4 written
// for each element of a row of more than 4,096, of a shorter one 8 of those from the first cache; of one id 8
// bytes read for each element of its row. Bound by memory.
#include "cuda/ops.h"
#include "cuda/ops/softmax_statistics.cuh"

namespace persimmon::cuda {

namespace {

template <bool kLog>
__device__ __forceinline__ void writeShares(float* out, const float* x, int64_t n,
                                            const SoftmaxStatistics& row) {
  const float share = 1.0f / row.sum;
  for (int64_t i = threadIdx.x; i < n; i += blockDim.x)
    out[i] = kLog ? logProbability(x[i], row) : expf(x[i] - row.max) * share;
}

/** A block for each row, of one piece. */
template <bool kLog>
__global__ void shortRowsKernel(float* out, const float* x, int64_t width) {
  __shared__ float partial[kWarp];
  waitForPrevious();
  const int64_t begin = blockIdx.x * width;
  writeShares<kLog>(out + begin, x + begin, width, statisticsOfPiece(x + begin, width, partial));
}

/** A block for each piece of each row. */
template <bool kLog>
__global__ void longRowsKernel(float* out, const float* x, const SoftmaxStatistics* statistics, int64_t width,
                               int64_t pieces) {
  __shared__ float partial[kWarp];
  waitForPrevious();
  const int64_t row = blockIdx.x / pieces, column = blockIdx.x % pieces * kSoftmaxPiece;
  const int64_t begin = row * width + column;
  const int64_t n = width - column < kSoftmaxPiece ? width - column : kSoftmaxPiece;
  writeShares<kLog>(out + begin, x + begin, n, statisticsOfRow(statistics + row * pieces, pieces, partial));
}

template <bool kLog>
void shares(Queue& queue, float* out, const float* x, int64_t rows, int64_t width) {
  const int64_t pieces = softmaxPieces(width);
  if (rows * width == 0) return;
  if (pieces == 1) {
    launch(queue, shortRowsKernel<kLog>, blocksFor(rows, 1), softmaxThreads(width), {.overlapping = true},
           out, x, width);
    return;
  }
  const SoftmaxStatistics* statistics = softmaxStatistics(queue, x, rows, width);
  launch(queue, longRowsKernel<kLog>, blocksFor(rows * pieces, 1), softmaxThreads(width),
         {.overlapping = true}, out, x, statistics, width, pieces);
}

/** A block for each row. */
__global__ void gatherLogProbabilityKernel(float* out, const float* logits, const int32_t* ids,
                                           const SoftmaxStatistics* statistics, int64_t width,
                                           int64_t pieces) {
  __shared__ float partial[kWarp];
  waitForPrevious();
  const int64_t row = blockIdx.x;
  // A single piece as it is: bringing it to its own maximum could change nothing.
  const SoftmaxStatistics found =
      pieces == 1 ? statistics[row] : statisticsOfRow(statistics + row * pieces, pieces, partial);
  const int32_t id = ids[row];
  if (threadIdx.x == 0)
    out[row] = id >= 0 && id < width ? logProbability(logits[row * width + id], found) : NAN;
}

}  // namespace

void softmax(Queue& queue, float* out, const float* x, int64_t rows, int64_t width) {
  shares<false>(queue, out, x, rows, width);
}

void logSoftmax(Queue& queue, float* out, const float* x, int64_t rows, int64_t width) {
  shares<true>(queue, out, x, rows, width);
}

void gatherLogProbability(Queue& queue, float* out, const float* logits, const int32_t* ids, int64_t rows,
                          int64_t width) {
  if (rows == 0) return;
  const SoftmaxStatistics* statistics = softmaxStatistics(queue, logits, rows, width);
  launch(queue, gatherLogProbabilityKernel, blocksFor(rows, 1), softmaxThreads(width), {.overlapping = true},
         out, logits, ids, statistics, width, softmaxPieces(width));
}

}  // namespace persimmon::cuda
