// Products of many rows with bfloat16 weights by cuBLASLt, where a queue has it.
#pragma once

#include "cuda/cublaslt.h"
#include "cuda/ops/linear_call.cuh"

namespace persimmon::cuda {

/**
 * The product for a bfloat16 weight, which `byInput` is stored by input. False, with nothing done, where
 * there is no library or it cannot: for other types, odd sizes and addresses that are not multiples of 16
 * bytes, and shapes for which it has no algorithm.
 */
bool linearByCublasLt(const LinearCall& call, CublasLt* library, bool byInput);

}  // namespace persimmon::cuda
