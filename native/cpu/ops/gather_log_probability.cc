// The log-probability of one id per row, without writing the log-softmax. Bytes per element: 8 read (two
// passes).
#include "cpu/ops/softmax_rows.h"

namespace persimmon::cpu::PERSIMMON_ISA {

void gatherLogProbability(ThreadPool& pool, float* out, const float* logits, const int32_t* ids, int64_t rows,
                          int64_t width) {
  const SoftmaxStatistics* statistics = softmaxStatistics(pool, logits, rows, width);
  for (int64_t row = 0; row < rows; ++row) {
    out[row] = logits[row * width + ids[row]] - statistics[row].max - logOfSum(statistics[row]);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
