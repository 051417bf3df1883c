// int8 weights as a matrix of bfloat16, for products that take no other.
#pragma once

#include "cuda/ops.h"
#include "cuda/queue.h"

namespace persimmon::cuda {

/**
 * out[outFeatures, inFeatures] of a weight in tiles, out[inFeatures, outFeatures] of one that is stored by
 * input: its whole numbers, which bfloat16 has exactly, without their scales. All at multiples of 16 bytes,
 * the features multiples of 8, and at most 2^31 numbers.
 */
void widenInt8(Queue& queue, uint16_t* out, const Weight& weight, int64_t inFeatures, int64_t outFeatures,
               bool byInput);

}  // namespace persimmon::cuda
