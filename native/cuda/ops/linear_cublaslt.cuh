// Products of many rows with bfloat16 weights by cuBLASLt, where a queue has it.
#pragma once

#include "cuda/cublaslt.h"
#include "cuda/ops.h"

namespace persimmon::cuda {

/**
 * out[rows, outFeatures] = x . weight^T + bias for a bfloat16 weight, which `byInput` is stored by input.
 * False, with nothing done, where the library cannot: for other types, odd sizes and addresses that are not
 * multiples of 16 bytes, and shapes for which it has no algorithm.
 */
bool linearByCublasLt(Queue& queue, CublasLt& library, float* out, const float* x, Weight weight, Weight bias,
                      int64_t rows, int64_t inFeatures, int64_t outFeatures, bool byInput);

}  // namespace persimmon::cuda
