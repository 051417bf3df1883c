// Products of many rows by cuBLASLt, where a queue has it.
#pragma once

#include "cuda/cublaslt.h"
#include "cuda/ops/linear_call.cuh"

namespace persimmon::cuda {

/** Weights of int8 that are written as bfloat16 at once, at most: 128 MiB, which are all matrices of the 8B
 * but its head. */
constexpr int64_t kMostWidenedWeights = int64_t{1} << 26;

/**
 * The product for a bfloat16 or int8 weight, which `byInput` is stored by input. False, with nothing done,
 * where there is no library or it cannot: for other types, odd sizes and addresses that are not multiples of
 * 16 bytes, int8 weights of more numbers than kMostWidenedWeights, and shapes for which it has no algorithm.
 */
bool linearByCublasLt(const LinearCall& call, CublasLt* library, bool byInput);

}  // namespace persimmon::cuda
