// What the products of linear and linearByInput are told, and who makes them.
#pragma once

#include "cuda/ops.h"
#include "cuda/queue.h"

namespace persimmon::cuda {

/** Rows up to which there are kernels of their own, bound by reading the weights. */
constexpr int64_t kFewRows = 8;
/** Blocks that a product is to have: two for each multiprocessor of an H100; the same everywhere, since the
 * order of sums depends on it. */
constexpr int64_t kWantedBlocks = 256;

/** out [rows, outFeatures] = x [rows, inFeatures] . weight + bias, at least one row and output. */
struct LinearCall {
  Queue& queue;
  float* out;
  const float* x;
  Weight weight, bias;
  int64_t rows, inFeatures, outFeatures;

  /** Of int8 weights: what a whole sum is multiplied with, [outFeatures]; null for others. */
  const float* outputScales() const {
    return weight.dtype == DType::kInt8 ? static_cast<const float*>(weight.scales) : nullptr;
  }
};

/** linear for up to kFewRows rows: which kernel. */
void linearFewRows(const LinearCall& call);
/** linear for any number of rows, by tiles. */
void linearManyRows(const LinearCall& call);
/** The same for a weight that is stored by input. */
void linearByInputManyRows(const LinearCall& call);

}  // namespace persimmon::cuda
