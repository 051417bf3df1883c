// The second stage of products whose inputs are shared out among blocks: what each has summed is added in
// order. Bytes: 4 read for each part of an output, out of the second-level cache.
#pragma once

#include "cuda/ops/after.cuh"
#include "cuda/ops/weights.cuh"
#include "cuda/queue.h"

namespace persimmon::cuda {

/** Where sums go: times scales[column] (null: 1), + bias. */
struct PartialSums {
  float* out;
  const float* scales;
  cpu::Weight bias;
  After after;

  /**
   * Elements i to i + kColumns - 1 of `count`, from a column on: the sums over `parts` of partial[part][i].
   * With 4 columns i and count are multiples of 4. kBatch loads are on the way at once.
   */
  template <int kColumns, int kBatch = 16>
  __device__ __forceinline__ void add(const float* partial, int64_t parts, int64_t count, int64_t i,
                                      int64_t column) const {
    float sums[kColumns] = {};
    for (int64_t first = 0; first < parts; first += kBatch) {
      float batch[kBatch][kColumns];
      PERSIMMON_UNROLL
      for (int b = 0; b < kBatch; ++b) {
        if (first + b < parts) loadPart(partial + (first + b) * count + i, batch[b]);
      }
      PERSIMMON_UNROLL
      for (int b = 0; b < kBatch; ++b) {
        PERSIMMON_UNROLL
        for (int c = 0; c < kColumns; ++c) {
          if (first + b < parts) sums[c] += batch[b][c];
        }
      }
    }
    PERSIMMON_UNROLL
    for (int c = 0; c < kColumns; ++c) {
      if (scales != nullptr) sums[c] *= scales[column + c];
      after.store(out, i + c, sums[c] + biasOf(bias, column + c));
    }
  }

 private:
  static __device__ __forceinline__ void loadPart(const float* at, float (&part)[1]) { part[0] = __ldcg(at); }
  static __device__ __forceinline__ void loadPart(const float* at, float (&part)[4]) {
    const float4 four = __ldcg(reinterpret_cast<const float4*>(at));
    part[0] = four.x, part[1] = four.y, part[2] = four.z, part[3] = four.w;
  }
};

/** Adds partial[part, rows, columns] over `parts`, by a kernel of its own. */
void addPartialSums(Queue& queue, const PartialSums& to, const float* partial, int64_t parts, int64_t rows,
                    int64_t columns);

}  // namespace persimmon::cuda
