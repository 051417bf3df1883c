// What the draw of a token needs to know of a row of logits: its maximum, the mass of each of its pieces, and
// a list of the columns that topK and topP can keep. Many blocks look at a row once for each of these, and
// one block draws (sample.cu).
//
// Weights are whole numbers, exp(...) in units of 2^-44 (of rows above 2^18 columns, larger ones), so that
// their sums do not depend on an order, and the draw is the same on every run; a weight below the unit is
// never drawn.
#pragma once

#include "cuda/ops/row_pieces.cuh"

namespace persimmon::cuda {

/** Logits above which a nucleus may lie, by how far they are below the largest: the nearest that has enough
 * mass is taken, so that few have to be listed. The last bound has all above it, or with topK what is above
 * that rank's. */
constexpr int kBounds = 4, kLastBound = kBounds - 1;

/** Of a piece: mass and number of the logits from each bound on. */
struct PieceSums {
  uint64_t mass[kBounds];
  int32_t count[kBounds];
};

/** Of a row: the largest logit, NaN where all are, and one that the topK largest are not below. */
struct RowRange {
  float max, floor;
};

struct SampleCall {
  int32_t* out;
  const float* logits;
  int64_t width;
  float temperature;
  int32_t topK;
  float topP;
  /** A number for each row, or, where there is none, the generator of each row. */
  const double* uniform;
  const int32_t* random;
  /** Units of mass in a weight of 1. */
  float unit = 0;

  // [rows, pieces] but for `largest`, [rows, pieces, kPieceWarps], and ranges [rows].
  int64_t pieces = 0;
  uint64_t* best = nullptr;
  uint32_t* largest = nullptr;
  PieceSums* sums = nullptr;
  RowRange* ranges = nullptr;
  /** Columns that may be kept, in order, [rows, width]. */
  int32_t* listed = nullptr;

  __host__ __device__ bool byRank() const { return topK > 0 && topK < width; }
  __host__ __device__ bool byMass() const { return topP > 0 && topP < 1; }
};

struct Row {
  const float* logits;
  RowRange range;
  float temperature;
  float unit;

  // Dividing the difference, not the logits, keeps a tiny temperature from making infinities.
  __device__ __forceinline__ uint64_t massOf(float x) const {
    if (x != x) return 0;
    return static_cast<uint64_t>((x == range.max ? 1.0f : expf((x - range.max) / temperature)) * unit);
  }
  __device__ __forceinline__ float boundOf(int bound) const {
    if (bound == kLastBound) return range.floor;
    return range.max - (bound == 0 ? 4.0f : bound == 1 ? 8.0f : 16.0f) * temperature;
  }
};

/** The bound that the list of a row begins at, and what its nucleus has to be heavier than. */
struct RowBound {
  int bound;
  double target;
};

/** By all threads of a block. */
__device__ __forceinline__ RowBound boundOfRow(const SampleCall& call, const PieceSums* sums) {
  if (call.byRank()) return {kLastBound, 0};
  uint64_t masses[kBounds] = {};
  for (int64_t i = threadIdx.x; i < call.pieces; i += blockDim.x) {
    PERSIMMON_UNROLL
    for (int bound = 0; bound < kBounds; ++bound) masses[bound] += sums[i].mass[bound];
  }
  const double target =
      static_cast<double>(call.topP) * static_cast<double>(totalOfBlock(masses[kLastBound]));
  PERSIMMON_UNROLL
  for (int bound = 0; bound < kLastBound; ++bound)
    if (static_cast<double>(totalOfBlock(masses[bound])) > target) return {bound, target};
  return {kLastBound, target};
}

/** How many columns the first pieces of a row list. By all threads of a block. */
__device__ __forceinline__ int64_t countOfPieces(const PieceSums* sums, int64_t pieces, int bound) {
  uint64_t count = 0;
  for (int64_t i = threadIdx.x; i < pieces; i += blockDim.x)
    count += static_cast<uint64_t>(sums[i].count[bound]);
  return static_cast<int64_t>(totalOfBlock(count));
}

namespace {

/**
 * A logit that at least k of a row are not below: the k-th largest of what its warps have found. Nearly as
 * high as the k-th largest of all, of which there are 256 for each of these. -inf for more than they are.
 */
__device__ __forceinline__ float floorOfRank(const uint32_t* largest, int64_t count, int64_t k) {
  if (k > count) return -INFINITY;
  const uint32_t lowest = orderOf(-INFINITY);  // of a warp that found no number, too
  const auto orderAt = [&](int64_t i) { return largest[i] > lowest ? largest[i] : lowest; };
  return numberOf(kthLargest(count, k, orderAt).order);
}

/** A block for each piece, behind largestOfPieces. */
__global__ void __launch_bounds__(kPieceThreads) sampleSumsKernel(SampleCall call) {
  waitForPrevious();
  const RowPiece piece = pieceOfBlock(call.width, call.pieces);
  const uint64_t best = largestOfRow(call.best + piece.row * call.pieces, call.pieces);
  const int64_t found = call.pieces * kPieceWarps;
  const RowRange range = {
      best == 0 ? NAN : numberOf(static_cast<uint32_t>(best >> 32)),
      call.byRank() ? floorOfRank(call.largest + piece.row * found, found, call.topK) : -INFINITY};
  if (piece.number == 0 && threadIdx.x == 0) call.ranges[piece.row] = range;
  const Row row{call.logits + piece.row * call.width, range, call.temperature, call.unit};
  uint64_t masses[kBounds] = {}, counts = 0;
  for (int64_t i = piece.begin + threadIdx.x; i < piece.end; i += kPieceThreads) {
    const float x = row.logits[i];
    const uint64_t mass = row.massOf(x);
    PERSIMMON_UNROLL
    for (int bound = 0; bound < kBounds; ++bound) {
      if (!(x >= row.boundOf(bound))) continue;
      masses[bound] += mass;
      counts += uint64_t{1} << 16 * bound;  // at most 2,048 each
    }
  }
  PieceSums sums;
  counts = totalOfBlock(counts);
  PERSIMMON_UNROLL
  for (int bound = 0; bound < kBounds; ++bound) {
    sums.mass[bound] = totalOfBlock(masses[bound]);
    sums.count[bound] = static_cast<int32_t>(counts >> 16 * bound & 0xffffu);
  }
  if (threadIdx.x == 0) call.sums[blockIdx.x] = sums;
}

/** A block for each piece, behind sampleSumsKernel. */
__global__ void __launch_bounds__(kPieceThreads) sampleListKernel(SampleCall call) {
  waitForPrevious();
  const RowPiece piece = pieceOfBlock(call.width, call.pieces);
  const PieceSums* sums = call.sums + piece.row * call.pieces;
  const Row row{call.logits + piece.row * call.width, call.ranges[piece.row], call.temperature, call.unit};
  const int bound = boundOfRow(call, sums).bound;
  const int64_t before = countOfPieces(sums, piece.number, bound);
  const float least = row.boundOf(bound);
  listKept(call.listed + piece.row * call.width + before, piece.begin, piece.end,
           [&](int64_t i) { return row.logits[i] >= least; });
}

}  // namespace

}  // namespace persimmon::cuda
