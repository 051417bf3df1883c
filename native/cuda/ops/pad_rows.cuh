// Activations for kernels that read 16 bytes at a time: rows of a whole number of 16 bytes, aligned.
#pragma once

#include <cstdint>

#include "cuda/queue.h"

namespace persimmon::cuda {

/** x [rows, width] itself where its rows have `padded` floats and are aligned, or else a copy in the queue's
 * scratch, with zeros behind each row. `padded` is a multiple of 4. */
const float* paddedRows(Queue& queue, const float* x, int64_t rows, int64_t width, int64_t padded);

}  // namespace persimmon::cuda
