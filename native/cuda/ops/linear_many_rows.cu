// linear and linearByInput for many rows (prompts and batches): which kernel, and how the work is shared out.
#include <algorithm>

#include "cuda/ops/gemm_fma.cuh"
#include "cuda/ops/gemm_mma.cuh"
#include "cuda/ops/linear_call.cuh"
#include "cuda/ops/linear_cublaslt.cuh"
#include "cuda/ops/partial_sums.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

// Inputs below which a split is not worth its partial sums.
constexpr int64_t kLeastSplitInputs = 256;

// Rows from which on products may be cuBLASLt's. It reads a weight three times, once for each part of the
// activations, and is bound by that up to some 160 rows on an H100; ours reads it once, and has a third of
// its rate or so. By arithmetic: to be measured (bench/cuda/products.mjs).
constexpr int64_t kLeastCublasLtRows = 64;

// The same with int8 weights, which reach it as bfloat16: 9 bytes a weight are moved there for 1 of ours.
constexpr int64_t kLeastCublasLtRowsOfInt8 = 256;

CublasLt* cublasLtFor(const LinearCall& call) {
  const int64_t least = call.weight.dtype == DType::kInt8 ? kLeastCublasLtRowsOfInt8 : kLeastCublasLtRows;
  return call.rows < least ? nullptr : cublasLtOf(call.queue);
}

struct Product : LinearCall {
  /** Few blocks share the inputs of an output; start(problem, blocks) launches. */
  template <class F>
  void run(int64_t tileRows, int64_t tileOutputs, bool byInput, const F& start) const {
    const int64_t rowBlocks = ceilingOf(rows, tileRows), outputBlocks = ceilingOf(outFeatures, tileOutputs);
    const int64_t wanted = std::max<int64_t>(1, kWantedBlocks / (rowBlocks * outputBlocks));
    const int64_t most = std::max<int64_t>(1, inFeatures / kLeastSplitInputs);
    const int64_t splitInputs =
        ceilingOf(ceilingOf(inFeatures, std::min(wanted, most)), kTileInputs) * kTileInputs;
    const int64_t splits = splitInputs == 0 ? 1 : ceilingOf(inFeatures, splitInputs);
    const float* scales = outputScales();
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
                        bytes(byInput)};
    if (splits > 1) {
      problem.out = reinterpret_cast<float*>(
          queue.scratch(static_cast<size_t>(splits * rows * outFeatures) * sizeof(float)));
    }
    start(problem, blocksFor(rowBlocks * outputBlocks * splits, 1));
    if (splits > 1) addPartialSums(queue, {out, scales, bias, {}}, problem.out, splits, rows, outFeatures);
  }

  template <bool kScaledByGroup, class Tile>
  void byMatrixInstruction(const Tile& tile, bool byInput) const {
    if (queue.matmulPrecision() == MatmulPrecision::kMedium) {
      byParts<kScaledByGroup, 1>(tile, byInput);
    } else {
      byParts<kScaledByGroup, 3>(tile, byInput);
    }
  }

  template <bool kScaledByGroup, int kParts, class Tile>
  void byParts(const Tile& tile, bool byInput) const {
    constexpr size_t kShared = matrixProductShared<kParts>();
    const auto kernel = matrixProductKernel<Tile, kScaledByGroup, kParts>;
    allowShared(queue, kernel, kShared);
    run(kProductRows, kTileOutputs, byInput, [&](const ManyRows& problem, unsigned blocks) {
      launch(queue, kernel, blocks, kProductThreads, {.sharedBytes = kShared, .overlapping = true}, problem,
             tile);
    });
  }

  template <bool kByInput>
  void byMultiplyAdds() const {
    const auto* numbers = static_cast<const float*>(weight.data);
    const bool aligned = isAligned(numbers) && (kByInput ? outFeatures : inFeatures) % 4 == 0;
    run(kFloatTile, kFloatTile, kByInput, [&](const ManyRows& problem, unsigned blocks) {
      launch(queue, floatProductKernel<kByInput>, blocks, kProductThreads, {.overlapping = true}, problem,
             numbers, aligned, int64_t{1});
    });
  }

  /** A weight [outFeatures, inFeatures], or tiles of it. */
  void byOutput() const {
    const int64_t groups = ceilingOf(inFeatures, cpu::kGroupInputs);
    const auto* bytes = static_cast<const uint8_t*>(weight.data);
    switch (weight.dtype) {
      case DType::kInt8: {
        const TileByOutput<Int8Tiles> tile = {{bytes, static_cast<const float*>(weight.scales), groups},
                                              isAligned(bytes, 4)};
        return byMatrixInstruction<false>(tile, false);
      }
      case DType::kInt4: {
        const TileByOutput<Int4Tiles> tile = {{bytes, static_cast<const uint16_t*>(weight.scales), groups},
                                              isAligned(bytes, 4)};
        return byMatrixInstruction<true>(tile, false);
      }
      case DType::kBFloat16: {
        const TileByOutput<PlainRows<uint16_t>> tile = {
            {static_cast<const uint16_t*>(weight.data), inFeatures}, isAligned(bytes) && inFeatures % 8 == 0};
        return byMatrixInstruction<false>(tile, false);
      }
      default:
        return byMultiplyAdds<false>();
    }
  }

  /** A weight [inFeatures, outFeatures]. */
  void byInput() const {
    const int64_t outputs = ceilingOf(outFeatures, cpu::kInt4Unit) * cpu::kInt4Unit;
    const auto* bytes = static_cast<const uint8_t*>(weight.data);
    switch (weight.dtype) {
      case DType::kInt8: {
        const TileByInput<Int8Inputs> tile = {
            {static_cast<const int8_t*>(weight.data), static_cast<const float*>(weight.scales), outFeatures},
            isAligned(bytes, 8) && outFeatures % 8 == 0};
        return byMatrixInstruction<false>(tile, true);
      }
      case DType::kInt4: {
        const TileByInput<Int4Inputs> tile = {{bytes, static_cast<const uint16_t*>(weight.scales), outputs},
                                              true};
        return byMatrixInstruction<true>(tile, true);
      }
      case DType::kBFloat16: {
        const TileByInput<BFloat16Inputs> tile = {{static_cast<const uint16_t*>(weight.data), outFeatures},
                                                  isAligned(bytes) && outFeatures % 8 == 0};
        return byMatrixInstruction<false>(tile, true);
      }
      default:
        return byMultiplyAdds<true>();
    }
  }
};

}  // namespace

int64_t LinearCall::bytes(bool byInput) const {
  const int64_t groups = ceilingOf(inFeatures, cpu::kGroupInputs),
                tiles = ceilingOf(outFeatures, cpu::kWeightTile),
                outputs = ceilingOf(outFeatures, cpu::kInt4Unit) * cpu::kInt4Unit;
  switch (weight.dtype) {
    case DType::kInt8:
      return byInput ? inFeatures * outFeatures : tiles * groups * 512;
    case DType::kInt4:
      return byInput ? inFeatures * outputs / 2 + groups * outputs * 2 : tiles * groups * (256 + 32);
    case DType::kBFloat16:
      return inFeatures * outFeatures * 2;
    default:
      return inFeatures * outFeatures * 4;
  }
}

void linearManyRows(const LinearCall& call) {
  if (!linearByCublasLt(call, cublasLtFor(call), false)) Product{call}.byOutput();
}

void linearByInputManyRows(const LinearCall& call) {
  if (!linearByCublasLt(call, cublasLtFor(call), true)) Product{call}.byInput();
}

}  // namespace persimmon::cuda
