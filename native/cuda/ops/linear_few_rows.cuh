// linear for up to 8 rows: which kernel.
#pragma once

#include "cuda/ops.h"
#include "cuda/queue.h"

namespace persimmon::cuda {

constexpr int64_t kFewRows = 8;

/** Rows 1 to kFewRows. */
void linearFewRows(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures);

}  // namespace persimmon::cuda
