// What lies between two tokens of a text: a few bytes a row.
#include <vector>

#include "cpu/ops.h"
#include "cpu/row_advance.h"

namespace persimmon::cpu {

void advance(ThreadPool&, const Advance& all) {
  for (int64_t row = 0; row < all.rows; ++row) advanceRow(all, row);
}

void sampleSeeded(ThreadPool& pool, int32_t* out, const float* logits, int64_t rows, int64_t width,
                  float temperature, int32_t topK, float topP, const int32_t* random) {
  std::vector<double> uniform(static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row) uniform[static_cast<size_t>(row)] = nextUniform(random, row);
  sample(pool, out, logits, rows, width, temperature, topK, topP, uniform.data());
}

}  // namespace persimmon::cpu
