// Attention of many tokens to a cache, as attention_prefill.cu and attention_prefill_mma.cu share it: a block
// takes 64 queries of one head, and the sequences that these belong to one after the other.
#pragma once

#include "cuda/ops/attention_call.cuh"

namespace persimmon::cuda {

constexpr int kTileThreads = 128, kTileQueries = 64;

/** The queries of a block: tokens from firstToken on. */
struct QueryTile {
  int64_t firstToken;
  int32_t head, heads, queries;

  /** Where a query, and its result, begins in [tokens, heads, kFastHeadDim]. */
  __device__ int64_t at(int32_t query) const { return ((firstToken + query) * heads + head) * kFastHeadDim; }
};

/** Blocks: for each head of each 64 tokens; the late tokens, which see most, first. */
__device__ __forceinline__ QueryTile queryTile(const AttendCall& call) {
  const int32_t heads = call.shape.heads;
  const int64_t tiles = (call.shape.tokens + kTileQueries - 1) / kTileQueries;
  const int64_t firstToken = (tiles - 1 - blockIdx.x / heads) * kTileQueries;
  const int64_t left = call.shape.tokens - firstToken;
  return {firstToken, static_cast<int32_t>(blockIdx.x % heads), heads,
          static_cast<int32_t>(left < kTileQueries ? left : kTileQueries)};
}

/**
 * f(sequence, shortest, longest) for each sequence of the tile, by all threads together, behind a barrier.
 * Meanwhile `counts`, in shared memory, has the keys that each query sees, 0 where it belongs to another
 * sequence, and from shortest to longest.
 */
template <class F>
__device__ __forceinline__ void eachSequence(const AttendCall& call, const QueryTile& tile,
                                             int32_t (&counts)[kTileQueries], const F& f) {
  const int thread = static_cast<int>(threadIdx.x);
  for (int32_t begin = 0, end; begin < tile.queries; begin = end) {
    const int32_t sequence = call.places.sequences[tile.firstToken + begin];
    end = begin + 1;
    while (end < tile.queries && call.places.sequences[tile.firstToken + end] == sequence) ++end;
    __syncthreads();
    if (thread < kTileQueries)
      counts[thread] =
          thread >= begin && thread < end ? call.places.positions[tile.firstToken + thread] + 1 : 0;
    __syncthreads();
    int32_t longest = 0, shortest = 0x7fffffff;
    for (const int32_t count : counts) {
      longest = count > longest ? count : longest;
      shortest = count < shortest ? count : shortest;
    }
    f(sequence, shortest, longest);
  }
}

/** attend, for many tokens of few sequences and a float32 cache. */
void attendTiles(Queue& queue, const AttendCall& call);
/** The same for a cache of bfloat16 or int8, whose numbers are exact in the matrix instruction. */
void attendMatrixTiles(Queue& queue, const AttendCall& call);

inline unsigned tileBlocks(const AttendCall& call) {
  return blocksFor((call.shape.tokens + kTileQueries - 1) / kTileQueries * call.shape.heads, 1);
}

}  // namespace persimmon::cuda
