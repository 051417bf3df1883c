// linear and linearByInput for any number of rows, by tiles.
#pragma once

#include "cuda/ops.h"

namespace persimmon::cuda {

/** out[rows, outFeatures] = x . weight^T + bias, at least one row and output. */
void linearManyRows(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                    int64_t inFeatures, int64_t outFeatures);
/** The same for a weight that is stored by input. */
void linearByInputManyRows(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                           int64_t inFeatures, int64_t outFeatures);

}  // namespace persimmon::cuda
