// Products of many rows with bfloat16 weights by cuBLASLt. Activations are float32, and stay so: each is the
// sum of three bfloat16 (mma.cuh), so there are three products, the smallest part first, added to the bias in
// float32. Beside the products 10 bytes an activation and 4 a result are moved. MatmulPrecision::kMedium
// rounds activations to one bfloat16: one product.
//
// The library chooses an algorithm for each shape, so the order of sums depends on the number of rows, on the
// GPU and on the version of the library; on one machine it is the same each time.
#include "cuda/device.cuh"
#include "cuda/ops/linear_cublaslt.cuh"
#include "cuda/ops/mma.cuh"
#include "cuda/ops/weights.cuh"
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
  const auto* w = static_cast<const uint16_t*>(weight.data);
  if (library == nullptr || weight.dtype != DType::kBFloat16 || inFeatures == 0 || inFeatures % 8 != 0 ||
      outFeatures % 8 != 0 || !isAligned(w) || !isAligned(out))
    return false;
  const CublasLtShape shape = {rows, inFeatures, outFeatures, byInput};
  if (!library->has(shape)) return false;
  const int64_t count = rows * inFeatures;
  const bool rounds = queue.matmulPrecision() == MatmulPrecision::kMedium;
  const int numbers = rounds ? 1 : 3;
  uint8_t* scratch =
      queue.scratch(CublasLt::kWorkspaceBytes + static_cast<size_t>(numbers * count) * sizeof(uint16_t));
  auto* parts = reinterpret_cast<uint16_t*>(scratch + CublasLt::kWorkspaceBytes);
  launch(queue, rounds ? splitKernel<1> : splitKernel<3>, blocksFor(count, 4 * kThreads), kThreads,
         {.overlapping = true}, parts, x, count);
  launch(queue, biasKernel, blocksFor(rows * outFeatures, 4 * kThreads), kThreads, {.overlapping = true}, out,
         bias, rows * outFeatures, outFeatures, trafficOf(queue), inFeatures * outFeatures * 2);
  for (int part = 0; part < numbers; ++part)
    library->add(shape, out, parts + part * count, w, scratch, streamOf(queue));
  return true;
}

}  // namespace persimmon::cuda
