#include "matrix_case.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

constexpr DType kTypes[] = {DType::kFloat32, DType::kBFloat16, DType::kInt8, DType::kInt4};

void checkLinear(ProductShape shape) {
  if (shape.dtype == DType::kInt4) shape.in = (shape.in + 31) / 32 * 32;
  const bool tiles = shape.dtype == DType::kInt8 || shape.dtype == DType::kInt4;
  checkProduct(cuda::linear, cpu::linear, tiles ? WeightOrder::kTiles : WeightOrder::kRows, shape);
}

}  // namespace

TEST(linearOfFewRowsMatchesTheCpu) {
  Random random(1);
  for (const DType dtype : kTypes) {
    for (const int64_t rows : {1, 2, 3, 8}) {
      checkLinear({rows, 256, 40, dtype});  // of the demo model, cut down
      checkLinear({rows, 1 + random.below(200), 1 + random.below(30), dtype, rows % 2 == 0});
      checkLinear({rows, 8 * (1 + random.below(100)), 1 + random.below(30), dtype, true, 0, rows % 2 == 1});
    }
    checkLinear({1, 4096, 19, dtype});  // of the 8B, cut down
    checkLinear({8, 2048 + 32, 17, dtype, false});
  }
}

TEST(linearOfNoInputsIsTheBias) {
  for (const DType dtype : kTypes) checkLinear({2, 0, 5, dtype});
  for (const DType dtype : kTypes) checkLinear({0, 32, 5, dtype});
  for (const DType dtype : kTypes) checkLinear({3, 32, 0, dtype});
}

TEST(linearOfFewRowsKeepsInfinitiesInTheirRows) {
  Random random(7);
  const int64_t rows = 6, out = 19;
  for (const DType dtype : kTypes) {
    const int64_t in = 96;
    const MatrixOnGpu matrix(random, dtype, WeightOrder::kTiles, out, in);
    std::vector<float> x = random.normals(rows * in);
    x[2 * in] = HUGE_VALF;  // next to the last of the row before
    x[4 * in - 1] = NAN;
    const OnGpu<float> input(x), result(rows * out);
    cuda::linear(gpu(), result.data(), input.data(), matrix.weight(), kNone, rows, in, out);
    const std::vector<float> y = result.read();
    for (size_t i = 0; i < y.size(); ++i) CHECK(std::isfinite(y[i]) == (i / out != 2 && i / out != 3));
  }
}

TEST(linearCountsTheWeightsItReads) {
  Random random(8);
  for (const DType dtype : kTypes) {
    for (const bool misaligned : {false, true}) {
      const int64_t rows = 3, in = 64, out = 21;
      const MatrixOnGpu matrix(random, dtype, WeightOrder::kTiles, out, in, misaligned);
      const std::vector<float> x = random.normals(rows * in);
      std::vector<float> y(rows * out);
      const auto before = cpuPool().weightTraffic();
      cpu::linear(cpuPool(), y.data(), x.data(), matrix.storedOnHost(), kNone, rows, in, out);
      const int64_t expected = cpuPool().weightTraffic().read - before.read;
      const auto [read, skipped] = weightTrafficOfGpu();
      const OnGpu<float> input(x), result(y.size());
      cuda::linear(gpu(), result.data(), input.data(), matrix.weight(), kNone, rows, in, out);
      const auto [readAfter, skippedAfter] = weightTrafficOfGpu();
      CHECK(readAfter - read == expected && skippedAfter == skipped);
    }
  }
}
