#include "check.h"

using namespace check;
using persimmon::cpu::dequantizeRows;
using persimmon::cpu::quantizeRows;

TEST(quantizeRowsRoundsToTheNearestEvenMultipleOfTheScale) {
  // The first row has the scale 1, so that its halves lie between two numbers; a row of zeros has none.
  const std::vector<float> x = {127, 0.5f, 1.5f, -2.5f, -127, 0, 0, -0.0f, 0, 0, 1, -0.25f, 1e-3f, 2, -254};
  std::vector<int8_t> out(15);
  std::vector<float> scales(3), back(15);
  ThreadPool pool(2);
  quantizeRows(pool, out.data(), scales.data(), {x.data(), DType::kFloat32}, 3, 5);
  CHECK((out == std::vector<int8_t>{127, 0, 2, -2, -127, 0, 0, 0, 0, 0, 0, 0, 0, 1, -127}));
  CHECK((scales == std::vector<float>{1, 0, 2}));
  dequantizeRows(pool, back.data(), out.data(), scales.data(), 3, 5);
  CHECK((back == std::vector<float>{127, 0, 2, -2, -127, 0, 0, 0, 0, 0, 0, 0, 0, 2, -254}));
}

TEST(quantizeRowsIsOffByHalfAScaleAtMost) {
  Random random(1);
  const int64_t rows = 37, columns = 101;
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const StoredWeight weight(random, static_cast<size_t>(rows * columns), dtype);
    std::vector<int8_t> out(static_cast<size_t>(rows * columns));
    std::vector<float> scales(static_cast<size_t>(rows)), back(out.size());
    forEachPool([&](ThreadPool& pool) {
      quantizeRows(pool, out.data(), scales.data(), weight.weight(), rows, columns);
      dequantizeRows(pool, back.data(), out.data(), scales.data(), rows, columns);
      for (size_t i = 0; i < back.size(); ++i) {
        const float scale = scales[i / static_cast<size_t>(columns)];
        CHECK(std::fabs(back[i] - weight.values()[i]) <= 0.5001f * scale);
      }
    });
  }
}

TEST(quantizeRowsGivesZeroWhereAScaleWouldBeSubnormal) {
  const std::vector<float> x = {1e-37f, -1e-40f};
  std::vector<int8_t> out(2, 77);
  float scale = 5;
  ThreadPool pool(1);
  quantizeRows(pool, out.data(), &scale, {x.data(), DType::kFloat32}, 1, 2);
  CHECK(out[0] == 0 && out[1] == 0 && scale == 0);
}
