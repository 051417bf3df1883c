// Where the tokens of a batch stand, and whether they may stand there. Positions, sequences and page tables
// are known on the GPU only, so the kernels look themselves, and a bad place never becomes an address.
#pragma once

#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

struct Places {
  const int32_t* positions;
  const int32_t* sequences;
  const int32_t* pageTable;
  int64_t tokens;
  int64_t pageCount;
  /** Positions from here on are outside. */
  int64_t limit;
  int32_t sequenceCount;
  int32_t pagesPerSequence;
  int32_t pageTokens;
};

inline Places placesOf(const AttentionShape& shape, const int32_t* positions, const int32_t* sequences,
                       const CacheView& cache, const AttentionLimits& limits) {
  const int64_t capacity = int64_t{cache.pagesPerSequence} * cache.pageTokens;
  return {positions,
          sequences,
          cache.pageTable,
          shape.tokens,
          limits.pageCount,
          limits.positions < capacity ? limits.positions : capacity,
          limits.sequenceCount,
          cache.pagesPerSequence,
          cache.pageTokens};
}

/**
 * Whether all tokens stand inside, and all pages up to them exist; asked by all threads of a block together.
 * Reads 8 bytes a token, and 4 a page: of neighbours in one sequence only the pages of the last are looked
 * at, since they hold those of the ones before.
 */
__device__ __forceinline__ bool areInside(const Places& places) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  int outside = 0;
  for (int64_t token = threadIdx.x / kWarp; token < places.tokens; token += warps) {
    const int32_t sequence = places.sequences[token], position = places.positions[token];
    if (sequence < 0 || sequence >= places.sequenceCount || position < 0 || position >= places.limit) {
      outside = 1;
      continue;
    }
    if (token + 1 < places.tokens && places.sequences[token + 1] == sequence &&
        places.positions[token + 1] >= position) {
      continue;
    }
    const int32_t* pages = places.pageTable + int64_t{sequence} * places.pagesPerSequence;
    for (int32_t page = lane; page <= position / places.pageTokens; page += kWarp)
      outside |= pages[page] < 0 || pages[page] >= places.pageCount ? 1 : 0;
  }
  return __syncthreads_or(outside) == 0;
}

/** Row (of headDim elements) of a head at a position, among the rows of all pages. */
__device__ __forceinline__ int64_t cacheRow(const CacheView& cache, int32_t heads, int32_t sequence,
                                            int32_t head, int32_t position) {
  const int32_t page = position / cache.pageTokens;
  const int64_t number = cache.pageTable[int64_t{sequence} * cache.pagesPerSequence + page];
  return (number * heads + head) * cache.pageTokens + (position - page * cache.pageTokens);
}

namespace {

constexpr int kPlacesThreads = 1024;

/** *inside = 1 or 0. One block. */
__global__ void placesKernel(int32_t* inside, Places places) {
  waitForPrevious();
  const bool are = areInside(places);
  if (threadIdx.x == 0) *inside = are ? 1 : 0;
}

}  // namespace

inline void checkPlaces(Queue& queue, int32_t* inside, const Places& places) {
  launch(queue, placesKernel, 1, kPlacesThreads, {.overlapping = true}, inside, places);
}

}  // namespace persimmon::cuda
