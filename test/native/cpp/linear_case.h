// linear and linearByInput, which differ in the order of the weight, against a naive loop.
#pragma once

#include "check.h"

namespace check {

using LinearKernel = decltype(persimmon::cpu::linear);

/** Where element [o, k] of a weight with `out` outputs and `in` inputs lies. */
using WeightIndex = int64_t (*)(int64_t o, int64_t k, int64_t out, int64_t in);

std::vector<float> runLinear(LinearKernel kernel, ThreadPool& pool, const std::vector<float>& x,
                             Weight weight, Weight bias, int64_t rows, int64_t in, int64_t out);

/** Normal numbers, of which about `percent` of a hundred are zero, of either sign. */
std::vector<float> sparseNormals(Random& random, int64_t count, int percent);

/** Each number rounded to bfloat16. */
std::vector<float> inBFloat16(std::vector<float> x);

/** Close to the naive loop, the same bits for every number of threads, for each row alone and, of one or two
 * rows, for both orders of reading. For kMedium the activations are bfloat16 numbers, which no rounding
 * changes. */
void checkLinear(LinearKernel kernel, WeightIndex index, int64_t rows, int64_t in, int64_t out, DType dtype,
                 bool withBias, int percentZeros,
                 persimmon::MatmulPrecision precision = persimmon::MatmulPrecision::kHighest);

}  // namespace check
