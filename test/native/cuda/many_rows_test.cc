#include "matrix_case.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

constexpr DType kTypes[] = {DType::kFloat32, DType::kBFloat16, DType::kInt8, DType::kInt4};

void checkBoth(ProductShape shape) {
  const bool scaled = shape.dtype == DType::kInt8 || shape.dtype == DType::kInt4;
  if (shape.dtype == DType::kInt4) shape.in = (shape.in + 31) / 32 * 32;
  checkProduct(cuda::linear, cpu::linear, scaled ? WeightOrder::kTiles : WeightOrder::kRows, shape);
  if (shape.dtype == DType::kInt4) shape.misaligned = false;
  checkProduct(cuda::linearByInput, cpu::linearByInput, WeightOrder::kInputs, shape);
}

}  // namespace

TEST(productsOfManyRowsMatchTheCpu) {
  for (const DType dtype : kTypes) {
    checkBoth({67, 40, 136, dtype, false});     // an unfinished tile of rows and of outputs
    checkBoth({11, 33, 131, dtype, true, 50});  // nothing aligned
    checkBoth({10, 72, 24, dtype, true, 0, true});
    checkBoth({13, 544, 16, dtype});  // splits, the last unfinished
  }
}

TEST(productsOfManyRowsAndNoInputsAreTheBias) {
  for (const DType dtype : kTypes) {
    checkProduct(cuda::linear, cpu::linearByInput, WeightOrder::kRows, {9, 0, 3, dtype});
    checkProduct(cuda::linearByInput, cpu::linearByInput, WeightOrder::kInputs, {9, 0, 3, dtype});
  }
}

TEST(productsOfManyRowsKeepWhatIsNotFinite) {
  Random random(3);
  const int64_t rows = 20, in = 32, out = 16;
  const MatrixOnGpu matrix(random, DType::kBFloat16, WeightOrder::kRows, out, in);
  std::vector<float> x = random.normals(rows * in);
  x[2 * in + 7] = HUGE_VALF;
  const uint32_t quiet = 0x7F800001;  // a NaN by its last bit only
  std::memcpy(&x[3 * in], &quiet, sizeof quiet);
  x[4 * in + 1] = 3e38f;
  const OnGpu<float> input(x), result(rows * out);
  cuda::linear(gpu(), result.data(), input.data(), matrix.weight(), kNone, rows, in, out);
  const std::vector<float> y = result.read();
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t row = i / out;
    const float w = matrix.values()[i % out * in + 7];
    if (row == 2) CHECK(y[i] == (w > 0 ? HUGE_VALF : -HUGE_VALF));
    if (row == 3) CHECK(std::isnan(y[i]));
    if (row != 2 && row != 3 && row != 4) CHECK(std::isfinite(y[i]));
  }
}

TEST(productsOfManyRowsKeepAllDigitsOfTheirActivations) {
  // One input for each output, so that nothing is added.
  const int64_t rows = 9, size = 32;
  std::vector<uint16_t> identity(size * size, 0);
  for (size_t i = 0; i < size; ++i) identity[i * size + i] = 0x3F80;
  Random random(13);
  std::vector<float> x = random.normals(rows * size);
  for (float& value : x) value *= 1.0f + 0x1p-23f;
  x[5] = 0x1.fffffep-100f;
  x[6] = -0x1.fffffep+120f;
  const OnGpu<uint16_t> weight(identity);
  const OnGpu<float> input(x), result(x.size());
  for (const auto op : {cuda::linear, cuda::linearByInput}) {
    op(gpu(), result.data(), input.data(), {weight.data(), DType::kBFloat16}, kNone, rows, size, size);
    CHECK(sameBits(result.read(), x));
  }
}

namespace {

/** The nearest bfloat16 number of each, the even one of two. */
std::vector<float> nearestBFloat16(std::vector<float> x) {
  for (float& value : x) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000u;
    std::memcpy(&value, &bits, sizeof bits);
  }
  return x;
}

}  // namespace

TEST(mediumPrecisionRoundsTheActivationsOfManyRows) {
  Random random(17);
  const int64_t in = 544, out = 40;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8, DType::kInt4}) {
    for (const WeightOrder order : {WeightOrder::kTiles, WeightOrder::kInputs}) {
      const bool scaled = dtype == DType::kInt8 || dtype == DType::kInt4;
      const WeightOrder stored = !scaled && order == WeightOrder::kTiles ? WeightOrder::kRows : order;
      const MatrixOnGpu matrix(random, dtype, stored, out, in);
      for (const int64_t rows : {8, 9, 70}) {
        const std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
        const auto product = [&](const std::vector<float>& inputs) {
          const OnGpu<float> input(inputs), result(static_cast<size_t>(rows * out));
          (order == WeightOrder::kInputs ? cuda::linearByInput : cuda::linear)(
              gpu(), result.data(), input.data(), matrix.weight(), kNone, rows, in, out);
          return result.read();
        };
        const std::vector<float> exact = product(x), ofRounded = product(nearestBFloat16(x));
        const Medium medium;
        const std::vector<float> y = product(x);
        const bool rounds = rows > 8 && dtype != DType::kFloat32;
        CHECK(sameBits(y, exact) == !rounds);
        if (rounds) {
          CHECK(sameBits(y, product(nearestBFloat16(x))));
          CHECK(distance(y, ofRounded) < 1e-5);
        }
      }
    }
  }
}

TEST(productsOfManyRowsCountTheirWeightsOnce) {
  Random random(8);
  for (const DType dtype : kTypes) {
    for (const WeightOrder order : {WeightOrder::kTiles, WeightOrder::kInputs}) {
      const int64_t rows = 17, in = 64, out = 21;
      const MatrixOnGpu matrix(random, dtype, order, out, in);
      const std::vector<float> x = random.normals(rows * in);
      std::vector<float> y(rows * out);
      const auto before = cpuPool().weightTraffic();
      (order == WeightOrder::kInputs ? cpu::linearByInput : cpu::linear)(
          cpuPool(), y.data(), x.data(), matrix.storedOnHost(), kNone, rows, in, out);
      const auto [read, skipped] = weightTrafficOfGpu();
      const OnGpu<float> input(x), result(y.size());
      (order == WeightOrder::kInputs ? cuda::linearByInput : cuda::linear)(
          gpu(), result.data(), input.data(), matrix.weight(), kNone, rows, in, out);
      const auto [readAfter, skippedAfter] = weightTrafficOfGpu();
      CHECK(readAfter - read == cpuPool().weightTraffic().read - before.read && skippedAfter == skipped);
    }
  }
}

TEST(matmulMatchesTheCpu) {
  struct Shape {
    int64_t batch, rows, inner, columns;
  };
  Random random(5);
  for (const auto [batch, rows, inner, columns] : {Shape{1, 1, 1, 1},
                                                   {2, 5, 0, 7},
                                                   {0, 3, 4, 5},
                                                   {3, 66, 20, 68},
                                                   {1, 70, 64, 33},
                                                   {2, 3, 31, 5},
                                                   {2, 64, 16, 64}}) {
    const std::vector<float> a = random.normals(static_cast<size_t>(batch * rows * inner)),
                             b = random.normals(static_cast<size_t>(batch * inner * columns));
    std::vector<float> expected(static_cast<size_t>(batch * rows * columns));
    cpu::matmul(cpuPool(), expected.data(), a.data(), b.data(), batch, rows, inner, columns);
    const ShiftedOnGpu onA(a, batch == 2 && rows == 3 ? 1 : 0), onB(b, 0);
    const OnGpu<float> out(expected.size());
    cuda::matmul(gpu(), out.data(), onA.data(), onB.data(), batch, rows, inner, columns);
    CHECK(distance(out.read(), expected) < 1e-5);
  }
}
