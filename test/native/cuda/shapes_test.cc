#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

TEST(transposesAreThoseOfTheCpu) {
  Random random(41);
  const int64_t shapes[][3] = {{1, 1, 1}, {1, 33, 32}, {3, 5, 70}, {2, 64, 64}, {1, 100, 1}, {0, 4, 4}};
  for (const auto& [batch, rows, columns] : shapes) {
    const auto count = static_cast<size_t>(batch * rows * columns);
    const std::vector<float> x = random.normals(count);
    std::vector<float> expected(count);
    cpu::transpose(cpuPool(), expected.data(), x.data(), batch, rows, columns);
    const OnGpu<float> input(x), out(count);
    cuda::transpose(gpu(), out.data(), input.data(), batch, rows, columns);
    CHECK(sameBits(out.read(), expected));
  }
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const int64_t rows = 37, columns = 66;
    const WeightOnGpu x(random, static_cast<size_t>(rows * columns), dtype);
    const size_t bytes = static_cast<size_t>(rows * columns) * (dtype == DType::kFloat32 ? 4 : 2);
    std::vector<uint8_t> expected(bytes);
    cpu::transposeWeight(cpuPool(), expected.data(), x.onHost(), rows, columns);
    const OnGpu<uint8_t> out(bytes);
    cuda::transposeWeight(gpu(), out.data(), x.weight(), rows, columns);
    CHECK(out.read() == expected);
  }
}

TEST(copiesOfBlocksAreThoseOfTheCpu) {
  Random random(42);
  // Sizes of which 16, 4 and no power of two is a divisor.
  const int64_t sizes[][3] = {{16, 32, 48}, {4, 12, 8}, {5, 7, 9}, {64, 64, 64}};
  for (const auto& [bytes, outStride, stride] : sizes) {
    const int64_t blocks = 9;
    std::vector<uint8_t> x(static_cast<size_t>(stride * blocks)),
        expected(static_cast<size_t>(outStride * blocks), 7);
    for (uint8_t& byte : x) byte = static_cast<uint8_t>(random.bits());
    const OnGpu<uint8_t> input(x), out(expected);
    cpu::copyBlocks(cpuPool(), expected.data(), outStride, x.data(), stride, bytes, blocks);
    cuda::copyBlocks(gpu(), out.data(), outStride, input.data(), stride, bytes, blocks);
    CHECK(out.read() == expected);
  }
}
