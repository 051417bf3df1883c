// Matrix products with weights that are stored by input, [inFeatures, outFeatures]. After squared ReLU nine
// inputs in ten are zero: for few rows their weights are not read; for many rows, which together leave little
// out, all are.
#include "cuda/ops/int4_by_input.cuh"
#include "cuda/ops/linear_by_input_few.cuh"
#include "cuda/ops/linear_call.cuh"
#include "cuda/ops/partial_sums.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

struct FewRows : LinearCall {
  After after;

  /** Runs a kernel over slices and stripes of `stripe` outputs, which adds the slices, too, unless there are
   * more stripes than can be counted. start(problem, blocks) */
  template <class F>
  void run(int64_t stripe, const F& start) const {
    const int64_t stripes = ceilingOf(outFeatures, stripe);
    int64_t sliceInputs = kMostSliceInputs;
    const auto slices = [&] { return ceilingOf(inFeatures, sliceInputs); };
    while (sliceInputs > kLeastSliceInputs && slices() * stripes < kWantedBlocks) sliceInputs /= 2;
    const auto sums = static_cast<size_t>(slices() * rows * outFeatures);
    auto* partial = sums == 0 ? nullptr : reinterpret_cast<float*>(queue.scratch(sums * sizeof(float)));
    unsigned* arrivals = stripes <= kMostArrivals ? arrivalsOf(queue) : nullptr;
    const PartialSums result = {out, outputScales(), bias, after};
    const ByInputProblem problem = {partial,          x,           rows,     inFeatures,
                                    outFeatures,      sliceInputs, slices(), stripes,
                                    trafficOf(queue), arrivals,    result};
    if (inFeatures > 0) start(problem, blocksFor(slices() * stripes, 1));
    if (inFeatures == 0 || arrivals == nullptr)
      addPartialSums(queue, result, partial, slices(), rows, outFeatures);
  }

  template <class T, int kRows, int kColumns>
  void columns() const {
    run(int64_t{kWarp} * kColumns, [&](const ByInputProblem& problem, unsigned blocks) {
      launch(queue, liveInputsKernel<T, kRows, kColumns>, blocks, kLiveThreads, {.overlapping = true},
             static_cast<const T*>(weight.data), problem);
    });
  }

  template <class T, int kColumns, int kColumnsOfMany>
  void plain() const {
    const auto fits = [&](int64_t bytes) {
      return reinterpret_cast<uintptr_t>(weight.data) % bytes == 0 &&
             outFeatures * static_cast<int64_t>(sizeof(T)) % bytes == 0;
    };
    if (!fits(16)) return columns<T, kFewRows, 1>();
    if (rows == 1) return columns<T, 1, kColumns>();
    if (rows == 2) return columns<T, 2, kColumns>();
    if (rows <= 4) return columns<T, 4, kColumns>();
    columns<T, kFewRows, kColumnsOfMany>();
  }

  template <int kRows, int kBytes>
  void nibbles() const {
    const int64_t outputs = (outFeatures + cpu::kInt4Unit - 1) / cpu::kInt4Unit * cpu::kInt4Unit;
    run(int64_t{kWarp} * 2 * kBytes, [&](const ByInputProblem& problem, unsigned blocks) {
      launch(queue, liveInt4Kernel<kRows, kBytes>, blocks, kLiveThreads, {.overlapping = true},
             static_cast<const uint8_t*>(weight.data), static_cast<const uint16_t*>(weight.scales), outputs,
             problem);
    });
  }

  void operator()() const {
    switch (weight.dtype) {
      case DType::kInt4:
        return rows == 1   ? nibbles<1, 8>()
               : rows == 2 ? nibbles<2, 8>()
               : rows <= 4 ? nibbles<4, 4>()
                           : nibbles<8, 4>();
      case DType::kInt8:
        return plain<int8_t, 16, 8>();
      case DType::kBFloat16:
        return plain<uint16_t, 8, 8>();
      default:
        return plain<float, 4, 4>();
    }
  }
};

}  // namespace

void linearByInputFewRows(const LinearCall& call, const After& after) { FewRows{call, after}(); }

void linearByInput(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  if (rows == 0 || outFeatures == 0) return;
  const LinearCall call = {queue, out, x, weight, bias, rows, inFeatures, outFeatures};
  if (rows > kFewRows) return linearByInputManyRows(call);
  linearByInputFewRows(call);
}

}  // namespace persimmon::cuda
