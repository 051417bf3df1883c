// Products of two activations, a [rows, inner] . b [inner, columns], for each pair of a batch: 4 bytes for
// each number of a and b for every 64 columns or rows; limited by the multiply-adds.
#include "cuda/ops/gemm_fma.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

void matmul(Queue& queue, float* out, const float* a, const float* b, int64_t batch, int64_t rows,
            int64_t inner, int64_t columns) {
  if (batch == 0 || rows == 0 || columns == 0) return;
  const int64_t rowBlocks = (rows + kFloatTile - 1) / kFloatTile,
                columnBlocks = (columns + kFloatTile - 1) / kFloatTile;
  const Weight none = {nullptr, DType::kFloat32};
  const ManyRows problem = {out,     a,         none,         nullptr, rows,  inner,
                            columns, rowBlocks, columnBlocks, batch,   inner, isAligned(a) && inner % 4 == 0,
                            nullptr, 0};
  launch(queue, floatProductKernel<true>, blocksFor(rowBlocks * columnBlocks * batch, 1), kProductThreads,
         {.overlapping = true}, problem, b, isAligned(b) && columns % 4 == 0, batch);
}

}  // namespace persimmon::cuda
