// Matrix products with weights as they are stored, [outFeatures, inFeatures]: a kernel of vectors for few rows, one of
// tiles for many.
#include "cuda/ops/linear_few_rows.cuh"

namespace persimmon::cuda {

void linear(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows, int64_t inFeatures,
            int64_t outFeatures) {
  if (rows == 0 || outFeatures == 0) return;
  for (int64_t row = 0; row < rows; row += kFewRows)
    linearFewRows(queue, out + row * outFeatures, x + row * inFeatures, weight, bias, rows - row < kFewRows ? rows - row : kFewRows, inFeatures, outFeatures);
}

}  // namespace persimmon::cuda
