// What the products of linear and linearByInput are told, and who makes them.
#pragma once

#include "core/joined_ops.h"
#include "cuda/ops.h"
#include "cuda/ops/after.cuh"
#include "cuda/ops/norm_before.cuh"
#include "cuda/queue.h"

namespace persimmon::cuda {

/** Rows up to which there are kernels of their own, bound by reading the weights. */
constexpr int64_t kFewRows = kMostJoinedRows;
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
  /** Of the weights, with their scales in int4, as they are stored in tiles or rows, or by input. */
  int64_t bytes(bool byInput) const;
};

/** What is joined with a product of up to kFewRows rows. With a layerNorm before it, its `x` is what that
 * writes. */
struct Neighbours {
  NormBefore norm;
  After after;
};

/** linear for up to kFewRows rows: which kernel. */
void linearFewRows(const LinearCall& call, const Neighbours& with = {});
/** linear for any number of rows, by tiles. */
void linearManyRows(const LinearCall& call);
/** The same for a weight that is stored by input. */
void linearByInputFewRows(const LinearCall& call, const After& after = {});
void linearByInputManyRows(const LinearCall& call);

}  // namespace persimmon::cuda
