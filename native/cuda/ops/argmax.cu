// Arg-max over rows: 4 bytes an element, read once. A row is cut into pieces of 2,048, a block for each, so
// that one row of 262,144 logits has 128 blocks at work.
#include "cuda/ops.h"
#include "cuda/ops/selection.cuh"

namespace persimmon::cuda {

namespace {

constexpr int64_t kPiece = 2048;
constexpr int kThreads = 256;

/** The largest over the block, in thread 0. */
__device__ __forceinline__ uint64_t largestOfBlock(uint64_t best) {
  __shared__ uint64_t partial[kWarp];
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
    const uint64_t other = __shfl_xor_sync(kAllLanes, best, lanes);
    best = other > best ? other : best;
  }
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = best;
  __syncthreads();
  for (unsigned warp = 0; warp < blockDim.x / kWarp; ++warp)
    best = partial[warp] > best ? partial[warp] : best;
  return best;
}

/** NaN, which is never chosen, is 0: so is a row of nothing else, and its column. */
__device__ __forceinline__ int32_t columnOf(uint64_t ranked) {
  return ranked == 0 ? 0 : static_cast<int32_t>(~static_cast<uint32_t>(ranked));
}

/** A block for each piece; of a row of one piece the result goes straight to `out`. */
__global__ void argmaxPiecesKernel(int32_t* out, uint64_t* best, const float* x, int64_t width,
                                   int64_t pieces) {
  waitForPrevious();
  const int64_t row = blockIdx.x / pieces, begin = blockIdx.x % pieces * kPiece;
  const int64_t end = width - begin < kPiece ? width : begin + kPiece;
  uint64_t mine = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    const float value = x[row * width + i];
    if (value != value) continue;
    const uint64_t ranked = rankOf(orderOf(value), static_cast<uint32_t>(i));
    mine = ranked > mine ? ranked : mine;
  }
  mine = largestOfBlock(mine);
  if (threadIdx.x != 0) return;
  if (pieces == 1) {
    out[row] = columnOf(mine);
  } else {
    best[blockIdx.x] = mine;
  }
}

/** A block for each row. */
__global__ void argmaxRowsKernel(int32_t* out, const uint64_t* best, int64_t pieces) {
  waitForPrevious();
  uint64_t mine = 0;
  for (int64_t i = threadIdx.x; i < pieces; i += blockDim.x) {
    const uint64_t other = best[blockIdx.x * pieces + i];
    mine = other > mine ? other : mine;
  }
  mine = largestOfBlock(mine);
  if (threadIdx.x == 0) out[blockIdx.x] = columnOf(mine);
}

}  // namespace

void argmax(Queue& queue, int32_t* out, const float* x, int64_t rows, int64_t width) {
  if (rows * width == 0) return;
  const int64_t pieces = (width + kPiece - 1) / kPiece;
  auto* best =
      pieces == 1
          ? nullptr
          : reinterpret_cast<uint64_t*>(queue.scratch(static_cast<size_t>(rows * pieces) * sizeof(uint64_t)));
  launch(queue, argmaxPiecesKernel, blocksFor(rows * pieces, 1), kThreads, {.overlapping = true}, out, best,
         x, width, pieces);
  if (pieces > 1)
    launch(queue, argmaxRowsKernel, blocksFor(rows, 1), kWarp, {.overlapping = true}, out, best, pieces);
}

}  // namespace persimmon::cuda
