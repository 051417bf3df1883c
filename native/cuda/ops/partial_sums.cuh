// The second stage of products whose inputs are shared out among blocks: what each has summed is added in
// order.
#pragma once

#include "cuda/ops.h"

namespace persimmon::cuda {

/** out[rows, columns] = the sum over `parts` of partial[part, rows, columns], times scales[column] (null: 1),
 * + bias. */
void addPartialSums(Queue& queue, float* out, const float* partial, int64_t parts, int64_t rows,
                    int64_t columns, const float* scales, Weight bias);

}  // namespace persimmon::cuda
