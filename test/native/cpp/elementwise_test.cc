#include <algorithm>

#include "check.h"

using namespace check;
namespace cpu = persimmon::cpu;

TEST(addAndReluSquared) {
  Random random(11);
  for (int64_t count : {1, 3, 16, 17, 100, 40000}) {
    const std::vector<float> a = random.normals(static_cast<size_t>(count)),
                             b = random.normals(static_cast<size_t>(count));
    forEachPool([&](ThreadPool& pool) {
      std::vector<float> sum(a.size()), squared(a.size());
      cpu::add(pool, sum.data(), a.data(), b.data(), count);
      cpu::reluSquared(pool, squared.data(), a.data(), count);
      for (size_t i = 0; i < a.size(); ++i) {
        CHECK(sum[i] == a[i] + b[i]);
        CHECK(squared[i] == (a[i] > 0 ? a[i] * a[i] : 0));
      }
      std::vector<float> inPlace = a;
      cpu::add(pool, inPlace.data(), inPlace.data(), b.data(), count);
      CHECK(sameBits(inPlace, sum));
    });
  }
}

TEST(reluSquaredKeepsNaNAndInfinity) {
  const float x[] = {NAN, HUGE_VALF, -HUGE_VALF, -0.0f};
  forEachPool([&](ThreadPool& pool) {
    float y[4];
    cpu::reluSquared(pool, y, x, 4);
    CHECK(std::isnan(y[0]) && y[1] == HUGE_VALF && y[2] == 0 && y[3] == 0);
  });
}

TEST(embeddingWidensRows) {
  Random random(12);
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (int64_t hidden : {1, 17, 64, 100}) {
      const StoredWeight table(random, static_cast<size_t>(23 * hidden), dtype);
      std::vector<int32_t> ids(41);
      for (int32_t& id : ids) id = static_cast<int32_t>(random.below(23));
      forEachPool([&](ThreadPool& pool) {
        std::vector<float> out(ids.size() * static_cast<size_t>(hidden));
        cpu::embedding(pool, out.data(), table.weight(), ids.data(), static_cast<int64_t>(ids.size()),
                       hidden);
        for (size_t i = 0; i < out.size(); ++i) {
          const size_t width = static_cast<size_t>(hidden);
          CHECK(out[i] == table.values()[static_cast<size_t>(ids[i / width]) * width + i % width]);
        }
      });
    }
  }
}

TEST(layerNormMatchesANaiveLoop) {
  Random random(13);
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (int64_t width : {1, 3, 17, 64, 80, 100, 4096}) {
      const int64_t rows = width > 1000 ? 3 : 37;
      const StoredWeight weight(random, static_cast<size_t>(width), dtype),
          bias(random, static_cast<size_t>(width), dtype);
      std::vector<float> x = random.normals(static_cast<size_t>(rows * width));
      for (float& value : x) value = value * 3 + 50;  // a mean far from zero must not cancel
      std::vector<double> expected(x.size());
      for (int64_t r = 0; r < rows; ++r) {
        const float* row = x.data() + r * width;
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < width; ++i) mean += row[i];
        mean /= static_cast<double>(width);
        for (int64_t i = 0; i < width; ++i) variance += (row[i] - mean) * (row[i] - mean);
        variance /= static_cast<double>(width);
        for (int64_t i = 0; i < width; ++i) {
          const size_t j = static_cast<size_t>(i);
          expected[static_cast<size_t>(r * width + i)] =
              (row[i] - mean) / std::sqrt(variance + 1e-5) * weight.values()[j] + bias.values()[j];
        }
      }
      forEachPool([&](ThreadPool& pool) {
        std::vector<float> out(x.size());
        cpu::layerNorm(pool, out.data(), x.data(), weight.weight(), bias.weight(), rows, width, 1e-5f);
        CHECK_MESSAGE(distance(out, expected) < 1e-5,
                      std::to_string(width) + ": " + std::to_string(distance(out, expected)));
        std::vector<float> inPlace = x;
        cpu::layerNorm(pool, inPlace.data(), inPlace.data(), weight.weight(), bias.weight(), rows, width,
                       1e-5f);
        CHECK(sameBits(inPlace, out));
        std::vector<float> plain(x.size());
        cpu::layerNorm(pool, plain.data(), x.data(), kNone, kNone, 1, width, 1e-5f);
        CHECK(width == 1 ? plain[0] == 0 : std::isfinite(plain[0]));
      });
    }
  }
}

TEST(convertIsExact) {
  Random random(14);
  std::vector<float> x = random.normals(1000, 100);
  for (float special :
       {0.0f, -0.0f, HUGE_VALF, -HUGE_VALF, 1e-45f, -1e-40f, 3e38f, 3.4e38f, 1.00390625f, 1.01171875f}) {
    x.push_back(special);
  }
  for (int i = 0; i < 2000; ++i) {
    const uint32_t bits = static_cast<uint32_t>(random.bits());
    float value;
    std::memcpy(&value, &bits, 4);
    x.push_back(value);
  }
  const int64_t count = static_cast<int64_t>(x.size());
  std::vector<int32_t> integers(100);
  for (int32_t& i : integers) i = static_cast<int32_t>(random.bits());
  forEachPool([&](ThreadPool& pool) {
    std::vector<uint16_t> halves(x.size());
    cpu::convertToBFloat16(pool, halves.data(), x.data(), count);
    std::vector<float> back(x.size()), same(x.size()), whole(100);
    cpu::convertToFloat32(pool, back.data(), halves.data(), DType::kBFloat16, count);
    cpu::convertToFloat32(pool, same.data(), x.data(), DType::kFloat32, count);
    cpu::convertToFloat32(pool, whole.data(), integers.data(), DType::kInt32, 100);
    CHECK(sameBits(same, x));
    for (size_t i = 0; i < x.size(); ++i) {
      CHECK(halves[i] == floatToBFloat16(x[i]));
      const float widened = bfloat16ToFloat(halves[i]);
      CHECK(std::memcmp(&back[i], &widened, 4) == 0);
    }
    for (size_t i = 0; i < whole.size(); ++i) CHECK(whole[i] == static_cast<float>(integers[i]));
  });
}

TEST(convertWidensEveryFloat16) {
  std::vector<uint16_t> halves(65536);
  for (size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<uint16_t>(i);
  forEachPool([&](ThreadPool& pool) {
    std::vector<float> out(halves.size());
    cpu::convertToFloat32(pool, out.data(), halves.data(), DType::kFloat16, 65536);
    for (uint32_t i = 0; i < 65536; ++i) {
      const int exponent = (i >> 10) & 31;
      const double mantissa = i & 1023;
      double magnitude =
          exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
      if (exponent == 31) magnitude = mantissa == 0 ? HUGE_VAL : NAN;
      CHECK(std::isnan(magnitude) ? std::isnan(out[i]) : out[i] == (i & 0x8000 ? -magnitude : magnitude));
      CHECK(std::signbit(out[i]) == ((i & 0x8000) != 0));
    }
  });
}
