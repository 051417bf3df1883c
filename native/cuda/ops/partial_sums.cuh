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

  /** Element i of `count`, of a column: the sum over `parts` of partial[part][i]. Sixteen loads are on the
   * way at once. */
  __device__ __forceinline__ void add(const float* partial, int64_t parts, int64_t count, int64_t i,
                                      int64_t column) const {
    constexpr int kBatch = 16;
    float sum = 0.0f;
    for (int64_t first = 0; first < parts; first += kBatch) {
      float batch[kBatch];
      PERSIMMON_UNROLL
      for (int b = 0; b < kBatch; ++b)
        batch[b] = first + b < parts ? __ldcg(partial + (first + b) * count + i) : 0.0f;
      PERSIMMON_UNROLL
      for (int b = 0; b < kBatch; ++b) {
        if (first + b < parts) sum += batch[b];
      }
    }
    if (scales != nullptr) sum *= scales[column];
    after.store(out, i, sum + biasOf(bias, column));
  }
};

/** Adds partial[part, rows, columns] over `parts`, by a kernel of its own. */
void addPartialSums(Queue& queue, const PartialSums& to, const float* partial, int64_t parts, int64_t rows,
                    int64_t columns);

}  // namespace persimmon::cuda
