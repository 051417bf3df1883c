#include "matrix_case.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

constexpr DType kTypes[] = {DType::kFloat32, DType::kBFloat16, DType::kInt8, DType::kInt4};
constexpr int kPercents[] = {0, 50, 90, 100};

void checkByInput(ProductShape shape) {
  if (shape.dtype == DType::kInt4) {
    shape.in = (shape.in + 31) / 32 * 32;
    shape.misaligned = false;  // its rows of 64 outputs are filled up
  }
  checkProduct(cuda::linearByInput, cpu::linearByInput, WeightOrder::kInputs, shape);
}

}  // namespace

TEST(linearByInputOfFewRowsMatchesTheCpu) {
  Random random(1);
  for (const DType dtype : kTypes) {
    for (const int64_t rows : {1, 2, 4, 7}) {
      const int percent = kPercents[random.below(4)];
      checkByInput({rows, 300, 144, dtype, true, percent});
      checkByInput(
          {rows, 1 + random.below(600), 1 + random.below(100), dtype, rows % 2 == 0, 50, rows % 2 == 1});
    }
    checkByInput({1, 1024, 256, dtype, true, 90});  // of the demo model
    checkByInput({1, 2300, 96, dtype, true, 90});   // several slices, the last unfinished
  }
  checkByInput({1, 288, 1100, DType::kInt4, true, 90});  // several stripes
}

TEST(linearByInputOfNothingIsTheBias) {
  for (const DType dtype : kTypes) checkByInput({2, 0, 5, dtype});
  for (const DType dtype : kTypes) checkByInput({0, 32, 5, dtype});
  for (const DType dtype : kTypes) checkByInput({3, 32, 0, dtype});
}

TEST(linearByInputDoesNotReadWhatBelongsToZerosOnTheGpu) {
  Random random(2);
  const int64_t in = 700;
  for (const int64_t out : {64, 91}) {
    for (const int64_t rows : {1, 3, 8}) {
      std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
      const std::vector<float> finite = random.normals(static_cast<size_t>(in * out));
      std::vector<float> weight = finite;
      for (int64_t k = 0; k < in; ++k) {
        if (random.below(10) == 0) continue;
        for (int64_t r = 0; r < rows; ++r) x[static_cast<size_t>(r * in + k)] = r % 2 ? -0.0f : 0.0f;
        std::fill_n(weight.begin() + k * out, out, NAN);
      }
      const OnGpu<float> input(x), whole(finite), holed(weight), expected(static_cast<size_t>(rows * out)),
          found(static_cast<size_t>(rows * out));
      for (const auto& [target, from] : {std::pair(&expected, &whole), std::pair(&found, &holed)})
        cuda::linearByInput(gpu(), target->data(), input.data(), {from->data(), DType::kFloat32}, kNone, rows,
                            in, out);
      CHECK(sameBits(found.read(), expected.read()));
      CHECK(std::isfinite(found.read()[0]));
    }
  }
}

TEST(linearByInputReadsWhatBelongsToNaNOnTheGpu) {
  const OnGpu<float> x(std::vector<float>{0.0f, NAN, 1.0f}), weight(std::vector<float>{1, 2, 3}), out(1);
  cuda::linearByInput(gpu(), out.data(), x.data(), {weight.data(), DType::kFloat32}, kNone, 1, 3, 1);
  CHECK(std::isnan(out.read()[0]));
}

TEST(linearByInputCountsWhatItReadsAndLeavesOut) {
  Random random(3);
  for (const DType dtype : kTypes) {
    const int64_t rows = 2, in = 352, out = 48;
    const MatrixOnGpu matrix(random, dtype, WeightOrder::kInputs, out, in);
    std::vector<float> x = random.normals(static_cast<size_t>(rows * in)), y(static_cast<size_t>(rows * out));
    for (float& value : x) value = random.below(10) == 0 ? value : 0.0f;
    std::fill_n(x.begin() + 64, 32, 0.0f);
    std::fill_n(x.begin() + in + 64, 32, 0.0f);  // a group of which nothing is read
    const auto before = cpuPool().weightTraffic();
    cpu::linearByInput(cpuPool(), y.data(), x.data(), matrix.storedOnHost(), kNone, rows, in, out);
    const auto after = cpuPool().weightTraffic();
    const auto [read, skipped] = weightTrafficOfGpu();
    const OnGpu<float> input(x), result(y.size());
    cuda::linearByInput(gpu(), result.data(), input.data(), matrix.weight(), kNone, rows, in, out);
    const auto [readAfter, skippedAfter] = weightTrafficOfGpu();
    CHECK(readAfter - read == after.read - before.read);
    CHECK(skippedAfter - skipped == after.skipped - before.skipped && skippedAfter > skipped);
  }
}
