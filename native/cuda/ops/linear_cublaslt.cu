// Products of many rows by cuBLASLt. Activations are float32, and stay so: each is the sum of three bfloat16
// (mma.cuh), so there are three products, the smallest part first, added to the bias in float32. Beside the
// products 10 bytes an activation and 4 a result are moved. MatmulPrecision::kMedium rounds activations to
// one bfloat16: one product.
//
// Weights of int8 are first written as bfloat16, which has their whole numbers exactly (3 bytes a weight
// moved), and the sums then scaled (8 bytes a result). int4 is not done so: a number times the scale of its
// group has up to 11 digits, which would take two bfloat16 and twice the products.
//
// The library chooses an algorithm for each shape, so the order of sums depends on the number of rows, on the
// GPU and on the version of the library; on one machine it is the same each time.
#include "cuda/device.cuh"
#include "cuda/ops/linear_cublaslt.cuh"
#include "cuda/ops/mma.cuh"
#include "cuda/ops/partial_sums.cuh"
#include "cuda/ops/weights.cuh"
#include "cuda/ops/widen_int8.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

/** parts[part, count], the smallest part first. */
template <int kParts>
__global__ void splitKernel(uint16_t* parts, const float* x, int64_t count) {
  waitForPrevious();
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += int64_t{gridDim.x} * kThreads) {
    if constexpr (kParts == 1) {
      parts[i] = toBFloat16(x[i]);
    } else {
      float split[kParts];
      splitInThree(x[i], split);
      PERSIMMON_UNROLL
      for (int part = 0; part < kParts; ++part)
        parts[(kParts - 1 - part) * count + i] = static_cast<uint16_t>(__float_as_uint(split[part]) >> 16);
    }
  }
}

/** What the products are added to, and the count of the bytes that they read. */
__global__ void biasKernel(float* out, Weight bias, int64_t count, int64_t outputs,
                           unsigned long long* traffic, int64_t bytes) {
  waitForPrevious();
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count;
       i += int64_t{gridDim.x} * kThreads)
    out[i] = biasOf(bias, i % outputs);
  if (blockIdx.x == 0 && threadIdx.x == 0) countTraffic(traffic, bytes, 0);
}

}  // namespace

bool linearByCublasLt(const LinearCall& call, CublasLt* library, bool byInput) {
  const auto& [queue, out, x, weight, bias, rows, inFeatures, outFeatures] = call;
  const bool isInt8 = weight.dtype == DType::kInt8;
  const int64_t weights = inFeatures * outFeatures;
  if (library == nullptr || (!isInt8 && weight.dtype != DType::kBFloat16) || inFeatures == 0 ||
      inFeatures % 8 != 0 || outFeatures % 8 != 0 || !isAligned(weight.data) || !isAligned(out) ||
      (isInt8 && weights > kMostWidenedWeights))
    return false;
  const CublasLtShape shape = {rows, inFeatures, outFeatures, byInput};
  if (!library->has(shape)) return false;
  const int64_t count = rows * inFeatures;
  const bool rounds = queue.matmulPrecision() == MatmulPrecision::kMedium;
  const int numbers = rounds ? 1 : 3;
  const int64_t splitNumbers = numbers * count, widened = isInt8 ? weights : 0;  // both multiples of 8
  uint8_t* scratch = queue.scratch(CublasLt::kWorkspaceBytes +
                                   static_cast<size_t>(splitNumbers + widened) * sizeof(uint16_t));
  auto* parts = reinterpret_cast<uint16_t*>(scratch + CublasLt::kWorkspaceBytes);
  const auto* w = static_cast<const uint16_t*>(weight.data);
  if (isInt8) {
    widenInt8(queue, parts + splitNumbers, weight, inFeatures, outFeatures, byInput);
    w = parts + splitNumbers;
  }
  launch(queue, rounds ? splitKernel<1> : splitKernel<3>, blocksFor(count, 4 * kThreads), kThreads,
         {.overlapping = true}, parts, x, count);
  launch(queue, biasKernel, blocksFor(rows * outFeatures, 4 * kThreads), kThreads, {.overlapping = true}, out,
         isInt8 ? Weight{nullptr, DType::kFloat32} : bias, rows * outFeatures, outFeatures, trafficOf(queue),
         call.bytes(byInput));
  for (int part = 0; part < numbers; ++part)
    library->add(shape, out, parts + part * count, w, scratch, streamOf(queue));
  if (isInt8) addPartialSums(queue, {out, call.outputScales(), bias, {}}, out, 1, rows, outFeatures);
  return true;
}

}  // namespace persimmon::cuda
