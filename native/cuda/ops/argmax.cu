// Arg-max over rows: 4 bytes an element, read once.
#include "cuda/ops.h"
#include "cuda/ops/row_pieces.cuh"

namespace persimmon::cuda {

namespace {

/** NaN, which is never chosen, is 0: so is a row of nothing else, and its column. */
__device__ __forceinline__ int32_t columnOf(uint64_t ranked) {
  return ranked == 0 ? 0 : static_cast<int32_t>(~static_cast<uint32_t>(ranked));
}

/** A block for each piece. */
__global__ void argmaxPiecesKernel(int32_t* out, uint64_t* best, uint32_t* largest, const float* x,
                                   int64_t width, int64_t pieces) {
  waitForPrevious();
  const RowPiece piece = pieceOfBlock(width, pieces);
  uint64_t mine = 0;
  for (int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kPieceThreads) {
    const float value = x[piece.row * width + i];
    if (value != value) continue;
    const uint64_t ranked = rankOf(orderOf(value), static_cast<uint32_t>(i));
    mine = ranked > mine ? ranked : mine;
  }
  if (largest != nullptr) {
    auto order = static_cast<uint32_t>(mine >> 32);
    for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) {
      const uint32_t other = __shfl_xor_sync(kAllLanes, order, lanes);
      order = other > order ? other : order;
    }
    if (threadIdx.x % kWarp == 0) largest[int64_t{blockIdx.x} * kPieceWarps + threadIdx.x / kWarp] = order;
  }
  mine = largestOfBlock(mine);
  if (threadIdx.x != 0) return;
  if (best != nullptr) best[blockIdx.x] = mine;
  if (out != nullptr && pieces == 1) out[piece.row] = columnOf(mine);
}

/** A block for each row. */
__global__ void argmaxRowsKernel(int32_t* out, const uint64_t* best, int64_t pieces) {
  waitForPrevious();
  const uint64_t found = largestOfRow(best + blockIdx.x * pieces, pieces);
  if (threadIdx.x == 0) out[blockIdx.x] = columnOf(found);
}

}  // namespace

void largestOfPieces(Queue& queue, int32_t* out, uint64_t* best, uint32_t* largest, const float* x,
                     int64_t rows, int64_t width) {
  const int64_t pieces = rowPiecesOf(width);
  launch(queue, argmaxPiecesKernel, blocksFor(rows * pieces, 1), kPieceThreads, {.overlapping = true}, out,
         best, largest, x, width, pieces);
}

void argmax(Queue& queue, int32_t* out, const float* x, int64_t rows, int64_t width) {
  if (rows * width == 0) return;
  const int64_t pieces = rowPiecesOf(width);
  auto* best =
      pieces == 1
          ? nullptr
          : reinterpret_cast<uint64_t*>(queue.scratch(static_cast<size_t>(rows * pieces) * sizeof(uint64_t)));
  largestOfPieces(queue, out, best, nullptr, x, rows, width);
  if (pieces > 1)
    launch(queue, argmaxRowsKernel, blocksFor(rows, 1), kWarp, {.overlapping = true}, out, best, pieces);
}

}  // namespace persimmon::cuda
