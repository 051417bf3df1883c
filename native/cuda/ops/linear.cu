// Matrix products with weights as they are stored, [outFeatures, inFeatures]: kernels of vectors for few
// rows, of tiles for many.
#include "cuda/ops/linear_call.cuh"

namespace persimmon::cuda {

void linear(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
            int64_t inFeatures, int64_t outFeatures) {
  if (rows == 0 || outFeatures == 0) return;
  const LinearCall call = {queue, out, x, weight, bias, rows, inFeatures, outFeatures};
  if (rows > kFewRows) return linearManyRows(call);
  linearFewRows(call);
}

}  // namespace persimmon::cuda
