// Rows that are cut into pieces of 2,048, a block for each, so that one row of 262,144 logits has 128 blocks
// at work.
#pragma once

#include "cuda/ops/selection.cuh"

namespace persimmon::cuda {

constexpr int64_t kRowPiece = 2048;
constexpr int kPieceThreads = 256;
constexpr int kPieceWarps = kPieceThreads / kWarp;

inline int64_t rowPiecesOf(int64_t width) { return ceilingOf(width, kRowPiece); }

/** A block's piece: columns [begin, end) of a row. */
struct RowPiece {
  int64_t row, number, begin, end;
};

__device__ __forceinline__ RowPiece pieceOfBlock(int64_t width, int64_t pieces) {
  const int64_t row = blockIdx.x / pieces, number = blockIdx.x % pieces, begin = number * kRowPiece;
  return {row, number, begin, width - begin < kRowPiece ? width : begin + kRowPiece};
}

/** The largest over the block, in all threads. Once in a kernel. */
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

/** The largest of a row from those of its pieces, by rankOf, in all threads of a block; 0 where all are NaN.
 * Once in a kernel. */
__device__ __forceinline__ uint64_t largestOfRow(const uint64_t* best, int64_t pieces) {
  uint64_t mine = 0;
  for (int64_t i = threadIdx.x; i < pieces; i += blockDim.x) mine = best[i] > mine ? best[i] : mine;
  return largestOfBlock(mine);
}

/**
 * best[rows, pieces] = the largest of each piece by rankOf, 0 where all are NaN, and largest[rows, pieces,
 * kPieceWarps] = that of what each warp looks at, by orderOf. In rows of one piece out[rows] = its column.
 * Each of them may be null.
 */
void largestOfPieces(Queue& queue, int32_t* out, uint64_t* best, uint32_t* largest, const float* x,
                     int64_t rows, int64_t width);

}  // namespace persimmon::cuda
