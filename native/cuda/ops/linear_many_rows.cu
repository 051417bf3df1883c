// linear and linearByInput for many rows (prompts and batches): which kernel, and how the work is shared out.
#include <algorithm>

#include "cuda/ops/gemm_fma.cuh"
#include "cuda/ops/gemm_mma.cuh"
#include "cuda/ops/linear_cublaslt.cuh"
#include "cuda/ops/linear_many_rows.cuh"
#include "cuda/ops/partial_sums.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

// Two for each multiprocessor of an H100; the same everywhere, since the order of sums depends on it.
constexpr int64_t kWantedBlocks = 256;
// Inputs below which a split is not worth its partial sums.
constexpr int64_t kLeastSplitInputs = 256;

struct Product {
  Queue& queue;
  float* out;
  const float* x;
  Weight weight, bias;
  int64_t rows, inFeatures, outFeatures;

  /** Few blocks share the inputs of an output; start(problem, blocks) launches. */
  template <class F>
  void run(int64_t tileRows, int64_t tileOutputs, int64_t bytes, const F& start) const {
    const int64_t rowBlocks = ceilingOf(rows, tileRows), outputBlocks = ceilingOf(outFeatures, tileOutputs);
    const int64_t wanted = std::max<int64_t>(1, kWantedBlocks / (rowBlocks * outputBlocks));
    const int64_t most = std::max<int64_t>(1, inFeatures / kLeastSplitInputs);
    const int64_t splitInputs =
        ceilingOf(ceilingOf(inFeatures, std::min(wanted, most)), kTileInputs) * kTileInputs;
    const int64_t splits = splitInputs == 0 ? 1 : ceilingOf(inFeatures, splitInputs);
    const auto* scales = weight.dtype == DType::kInt8 ? static_cast<const float*>(weight.scales) : nullptr;
    ManyRows problem = {out,
                        x,
                        bias,
                        scales,
                        rows,
                        inFeatures,
                        outFeatures,
                        rowBlocks,
                        outputBlocks,
                        splits,
                        splitInputs,
                        isAligned(x) && inFeatures % 4 == 0,
                        trafficOf(queue),
                        bytes};
    if (splits > 1) {
      problem.out = reinterpret_cast<float*>(
          queue.scratch(static_cast<size_t>(splits * rows * outFeatures) * sizeof(float)));
    }
    start(problem, blocksFor(rowBlocks * outputBlocks * splits, 1));
    if (splits > 1) addPartialSums(queue, out, problem.out, splits, rows, outFeatures, scales, bias);
  }

  template <bool kScaledByGroup, class Tile>
  void byMatrixInstruction(const Tile& tile, int64_t bytes) const {
    const auto kernel = matrixProductKernel<Tile, kScaledByGroup>;
    static const cudaError_t allowed = cudaFuncSetAttribute(
        kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(matrixProductShared()));
    check(allowed, "shared memory for a product");
    run(kProductRows, kTileOutputs, bytes, [&](const ManyRows& problem, unsigned blocks) {
      launch(queue, kernel, blocks, kProductThreads,
             {.sharedBytes = matrixProductShared(), .overlapping = true}, problem, tile);
    });
  }

  template <bool kByInput>
  void byMultiplyAdds() const {
    const auto* numbers = static_cast<const float*>(weight.data);
    const bool aligned = isAligned(numbers) && (kByInput ? outFeatures : inFeatures) % 4 == 0;
    run(kFloatTile, kFloatTile, inFeatures * outFeatures * 4, [&](const ManyRows& problem, unsigned blocks) {
      launch(queue, floatProductKernel<kByInput>, blocks, kProductThreads, {.overlapping = true}, problem,
             numbers, aligned, int64_t{1});
    });
  }
};

}  // namespace

void linearManyRows(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                    int64_t inFeatures, int64_t outFeatures) {
  CublasLt* library = cublasLtOf(queue);
  if (library != nullptr &&
      linearByCublasLt(queue, *library, out, x, weight, bias, rows, inFeatures, outFeatures, false))
    return;
  const Product product = {queue, out, x, weight, bias, rows, inFeatures, outFeatures};
  const int64_t groups = ceilingOf(inFeatures, cpu::kGroupInputs),
                tiles = ceilingOf(outFeatures, cpu::kWeightTile);
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  switch (weight.dtype) {
    case DType::kInt8: {
      const TileByOutput<Int8Tiles> tile = {{bytes, static_cast<const float*>(weight.scales), groups},
                                            isAligned(bytes, 4)};
      return product.byMatrixInstruction<false>(tile, tiles * groups * 512);
    }
    case DType::kInt4: {
      const TileByOutput<Int4Tiles> tile = {{bytes, static_cast<const uint16_t*>(weight.scales), groups},
                                            isAligned(bytes, 4)};
      return product.byMatrixInstruction<true>(tile, tiles * groups * (256 + 32));
    }
    case DType::kBFloat16: {
      const TileByOutput<PlainRows<uint16_t>> tile = {{static_cast<const uint16_t*>(weight.data), inFeatures},
                                                      isAligned(bytes) && inFeatures % 8 == 0};
      return product.byMatrixInstruction<false>(tile, inFeatures * outFeatures * 2);
    }
    default:
      return product.byMultiplyAdds<false>();
  }
}

void linearByInputManyRows(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                           int64_t inFeatures, int64_t outFeatures) {
  CublasLt* library = cublasLtOf(queue);
  if (library != nullptr &&
      linearByCublasLt(queue, *library, out, x, weight, bias, rows, inFeatures, outFeatures, false))
    return;
  const Product product = {queue, out, x, weight, bias, rows, inFeatures, outFeatures};
  const int64_t outputs = ceilingOf(outFeatures, cpu::kInt4Unit) * cpu::kInt4Unit;
  const auto* bytes = static_cast<const uint8_t*>(weight.data);
  switch (weight.dtype) {
    case DType::kInt8: {
      const TileByInput<Int8Inputs> tile = {
          {static_cast<const int8_t*>(weight.data), static_cast<const float*>(weight.scales), outFeatures},
          isAligned(bytes, 8) && outFeatures % 8 == 0};
      return product.byMatrixInstruction<false>(tile, inFeatures * outFeatures);
    }
    case DType::kInt4: {
      const TileByInput<Int4Inputs> tile = {{bytes, static_cast<const uint16_t*>(weight.scales), outputs},
                                            true};
      const int64_t groups = inFeatures / cpu::kGroupInputs;
      return product.byMatrixInstruction<true>(tile, inFeatures * outputs / 2 + groups * outputs * 2);
    }
    case DType::kBFloat16: {
      const TileByInput<BFloat16Inputs> tile = {{static_cast<const uint16_t*>(weight.data), outFeatures},
                                                isAligned(bytes) && outFeatures % 8 == 0};
      return product.byMatrixInstruction<false>(tile, inFeatures * outFeatures * 2);
    }
    default:
      return product.byMultiplyAdds<true>();
  }
}

}  // namespace persimmon::cuda
