#include "check.h"

using namespace check;
using persimmon::cpu::arrangeGroups;
using persimmon::cpu::dequantizeGroups;
using persimmon::cpu::dequantizeRows;
using persimmon::cpu::int4Bytes;
using persimmon::cpu::int4Scales;
using persimmon::cpu::int8FromTiles;
using persimmon::cpu::int8TileBytes;
using persimmon::cpu::int8ToTiles;
using persimmon::cpu::quantizeGroups;
using persimmon::cpu::quantizeRows;
using persimmon::cpu::WeightOrder;

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

TEST(quantizeGroupsMakesTheLargestNumberOfAGroupMinusEight) {
  std::vector<float> x(64, 0.0f);
  x[0] = 16, x[1] = -3, x[2] = -14, x[3] = -13.5f, x[31] = 1;  // scale -2
  x[32] = -1, x[33] = 0.9375f, x[63] = 0.0625f;                // scale 1/8
  std::vector<uint8_t> out(32);
  std::vector<uint16_t> scales(2);
  std::vector<float> back(64);
  ThreadPool pool(2);
  quantizeGroups(pool, out.data(), scales.data(), {x.data(), DType::kFloat32}, 1, 64);
  CHECK(scales[0] == 0xc000 && scales[1] == 0x3e00);
  // Numbers plus 8, the first of each two in the low half: -8 and 2 (1.5 to even), 7 and 7 (6.75), then
  // zeros.
  CHECK(out[0] == 0xa0 && out[1] == 0xff && out[2] == 0x88 && out[15] == 0x88);
  CHECK(out[16] == 0xf0 && out[17] == 0x88 && out[31] == 0x88);  // 7.5 is too much; 0.5 to even
  dequantizeGroups(pool, back.data(), out.data(), scales.data(), 1, 64);
  CHECK(back[0] == 16 && back[1] == -4 && back[2] == -14 && back[3] == -14 && back[32] == -1 &&
        back[33] == 0.875f);
}

TEST(quantizeGroupsIsOffByAScaleAtMost) {
  Random random(5);
  const int64_t rows = 37, columns = 96;
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const StoredWeight weight(random, static_cast<size_t>(rows * columns), dtype);
    std::vector<uint8_t> out(static_cast<size_t>(rows * columns / 2));
    std::vector<uint16_t> scales(static_cast<size_t>(rows * columns / 32));
    std::vector<float> back(static_cast<size_t>(rows * columns));
    forEachPool([&](ThreadPool& pool) {
      quantizeGroups(pool, out.data(), scales.data(), weight.weight(), rows, columns);
      dequantizeGroups(pool, back.data(), out.data(), scales.data(), rows, columns);
      for (size_t group = 0; group < back.size(); group += 32) {
        float largest = 0;
        for (size_t i = group; i < group + 32; ++i)
          largest = std::max(largest, std::fabs(weight.values()[i]));
        // Half a scale, and a whole one for what would be +8; the scale is rounded to bfloat16.
        for (size_t i = group; i < group + 32; ++i) {
          CHECK(std::fabs(back[i] - weight.values()[i]) <= largest / 8 * 1.05f);
        }
      }
    });
  }
}

TEST(int8TilesBringEveryNumberBack) {
  Random random(7);
  for (const int64_t rows : {1, 16, 37}) {
    for (const int64_t columns : {1, 31, 32, 100}) {
      std::vector<int8_t> x(static_cast<size_t>(rows * columns)), back(x.size());
      for (int8_t& number : x) number = static_cast<int8_t>(random.below(255) - 127);
      std::vector<uint8_t> tiles(static_cast<size_t>(int8TileBytes(rows, columns)));
      CHECK(int8TileBytes(rows, columns) == (rows + 15) / 16 * 16 * ((columns + 31) / 32 * 32));
      forEachPool([&](ThreadPool& pool) {
        int8ToTiles(pool, tiles.data(), x.data(), rows, columns);
        int8FromTiles(pool, back.data(), tiles.data(), rows, columns);
        CHECK(back == x);
      });
    }
  }
}

TEST(arrangeGroupsBringsEveryNumberBack) {
  Random random(6);
  for (const int64_t rows : {1, 16, 37, 64, 100}) {
    const int64_t columns = 96;
    std::vector<uint8_t> elements(static_cast<size_t>(rows * columns / 2) + 1);
    std::vector<uint16_t> scales(static_cast<size_t>(rows * columns / 32));
    for (uint8_t& byte : elements) byte = static_cast<uint8_t>(random.below(256));
    for (uint16_t& scale : scales) scale = static_cast<uint16_t>(random.below(65536));
    for (const WeightOrder order : {WeightOrder::kRows, WeightOrder::kTiles, WeightOrder::kInputs}) {
      forEachPool([&](ThreadPool& pool) {
        std::vector<uint8_t> there(static_cast<size_t>(int4Bytes(order, rows, columns)));
        std::vector<uint16_t> thereScales(static_cast<size_t>(int4Scales(order, rows, columns)));
        std::vector<uint8_t> back(elements.size() - 1);
        std::vector<uint16_t> backScales(scales.size());
        // From a place that is not aligned, as in a file.
        arrangeGroups(pool, {there.data(), thereScales.data()}, order, {elements.data() + 1, scales.data()},
                      WeightOrder::kRows, rows, columns);
        arrangeGroups(pool, {back.data(), backScales.data()}, WeightOrder::kRows,
                      {there.data(), thereScales.data()}, order, rows, columns);
        CHECK(std::equal(back.begin(), back.end(), elements.begin() + 1) && backScales == scales);
      });
    }
  }
}
