#include "linear_case.h"

using namespace check;
using persimmon::cpu::arrangeGroups;
using persimmon::cpu::int4Bytes;
using persimmon::cpu::int4Scales;
using persimmon::cpu::linear;
using persimmon::cpu::quantizeGroups;
using persimmon::cpu::WeightOrder;

namespace {

std::vector<float> run(ThreadPool& pool, const std::vector<float>& x, Weight weight, Weight bias,
                       int64_t rows, int64_t in, int64_t out) {
  return runLinear(linear, pool, x, weight, bias, rows, in, out);
}

void checkShape(int64_t rows, int64_t in, int64_t out, DType dtype, bool withBias) {
  const auto index = [](int64_t o, int64_t k, int64_t, int64_t ins) { return o * ins + k; };
  checkLinear(linear, index, rows, in, out, dtype, withBias, 0);
}

constexpr DType kTypes[] = {DType::kFloat32, DType::kBFloat16, DType::kInt8, DType::kBFloat16};

}  // namespace

TEST(linearMatchesANaiveLoopOverOddShapes) {
  Random random(1);
  const int64_t sizes[] = {1, 3, 16, 17, 64, 80, 100, 130};
  for (int i = 0; i < (sanitized() ? 12 : 40); ++i) {
    checkShape(1 + random.below(70), sizes[random.below(8)], sizes[random.below(8)], kTypes[i % 4],
               i % 3 != 0);
  }
}

TEST(linearMatchesInWholeTiles) {
  // More than 1 MiB of weights, so that there are tiles where the CPU has some. One row, one or two panels of
  // sixteen rows, the last of them unfinished, more; an odd number of tiles of outputs, several groups; whole
  // blocks of inputs and others.
  const int64_t rows[] = {1, 16, 17, 33, 49, 2, 31, 32, 48, 70}, inputs[] = {512, 544, 1056};
  const int64_t outputs[] = {1040, 1072, 1056};
  for (int i = 0; i < (sanitized() ? 4 : 10); ++i) {
    checkShape(rows[i], inputs[i % 3], outputs[i / 3 % 3], DType::kBFloat16, i % 3 != 0);
  }
  if (!sanitized()) checkShape(261, 1056, 1104, DType::kBFloat16, true);
}

TEST(linearMatchesForInt4) {
  Random random(7);
  const int64_t inputs[] = {32, 64, 96, 320, 1056}, outputs[] = {1, 3, 15, 16, 17, 64, 100, 130};
  for (int i = 0; i < (sanitized() ? 10 : 30); ++i) {
    checkShape(1 + random.below(30), inputs[random.below(5)], outputs[random.below(8)], DType::kInt4, i % 2);
  }
  if (!sanitized()) checkShape(3, 4096, 1030, DType::kInt4, true);  // several pieces
}

TEST(linearRoundsActivationsForInt4ToTheNearestOfTheirGroup) {
  // Weights that pick one input each.
  const int64_t in = 64, out = 64;
  std::vector<float> identity(in * out, 0.0f);
  for (int64_t i = 0; i < in; ++i) identity[static_cast<size_t>(i * in + i)] = -8.0f;
  std::vector<uint8_t> rows(in * out / 2),
      tiles(static_cast<size_t>(int4Bytes(WeightOrder::kTiles, out, in)));
  std::vector<uint16_t> scales(in * out / 32), tileScales(scales.size());
  ThreadPool pool(1);
  quantizeGroups(pool, rows.data(), scales.data(), {identity.data(), DType::kFloat32}, out, in);
  arrangeGroups(pool, {tiles.data(), tileScales.data()}, WeightOrder::kTiles, {rows.data(), scales.data()},
                WeightOrder::kRows, out, in);
  const Weight weight = {tiles.data(), DType::kInt4, tileScales.data()};
  Random random(8);
  std::vector<float> x = random.normals(in);
  x[40] = 1e4f;
  forEachInstructionSet([&] {
    const std::vector<float> y = run(pool, x, weight, kNone, 1, in, out);
    for (size_t i = 0; i < x.size(); ++i) {
      float largest = 0;
      for (size_t j = i / 32 * 32; j < i / 32 * 32 + 32; ++j) largest = std::max(largest, std::fabs(x[j]));
      CHECK(std::fabs(y[i] / -8.0f - x[i]) <= largest / 254 * 1.00001f);
      if (std::fabs(x[i]) == largest) CHECK(std::fabs(y[i] / -8.0f - x[i]) <= largest * 1e-6f);
    }
  });
}

TEST(linearGivesNaNForInt4WhereAnInputIsNotFiniteAndZeroForTinyOnes) {
  std::vector<uint8_t> tiles(static_cast<size_t>(int4Bytes(WeightOrder::kTiles, 3, 32)), 0x99);
  const std::vector<uint16_t> scales(16, 0x3f80);
  const Weight weight = {tiles.data(), DType::kInt4, scales.data()};
  ThreadPool pool(1);
  std::vector<float> x(4 * 32, 1e-38f);
  x[33] = std::nanf("");
  x[70] = HUGE_VALF;
  for (size_t i = 96; i < 128; ++i) x[i] = 2.0f;
  forEachInstructionSet([&] {
    const std::vector<float> y = run(pool, x, weight, kNone, 4, 32, 3);
    for (size_t o = 0; o < 3; ++o) {
      CHECK(y[o] == 0 && std::isnan(y[3 + o]) && std::isnan(y[6 + o]));
      CHECK(std::fabs(y[9 + o] - 64) < 1e-4f);
    }
  });
}

TEST(linearGivesTheSameBitsForInt4OnEveryInstructionSetWithFma) {
  Random random(9);
  const int64_t in = 1056, out = 153;
  std::vector<uint8_t> tiles(static_cast<size_t>(int4Bytes(WeightOrder::kTiles, out, in)));
  std::vector<uint16_t> scales(static_cast<size_t>(int4Scales(WeightOrder::kTiles, out, in)), 0x3c12);
  for (uint8_t& byte : tiles) byte = static_cast<uint8_t>(random.below(256));
  const std::vector<float> x = random.normals(static_cast<size_t>(11 * in));
  ThreadPool pool(2);
  std::vector<float> first;
  forEachInstructionSet([&] {
    if (std::strcmp(persimmon::cpu::instructionSet(), "portable") == 0) return;
    const std::vector<float> y =
        run(pool, x, {tiles.data(), DType::kInt4, scales.data()}, kNone, 11, in, out);
    if (first.empty()) first = y;
    CHECK(sameBits(y, first));
  });
}

TEST(linearMatchesForEveryCountOfRows) {
  for (DType dtype : {DType::kBFloat16, DType::kInt8}) {
    for (int64_t rows = 1; rows <= 20; ++rows) checkShape(rows, 67, 29, dtype, true);
  }
}

TEST(linearMatchesInBothOrdersOfReading) {
  // More than 1 MiB of weights in each format; parts of a step, of a line and of a group of sixteen outputs;
  // inputs whose activations do not fit beside the weights.
  for (int64_t rows : {1, 2}) {
    checkShape(rows, 1051, 1043, DType::kBFloat16, true);
    checkShape(rows, 1051, 523, DType::kFloat32, false);
    if (sanitized()) continue;
    checkShape(rows, 1051, 1043, DType::kInt8, true);
    checkShape(rows, 1056, 2091, DType::kInt4, true);
    checkShape(rows, 4100, 300, DType::kBFloat16, true);
  }
}

TEST(linearMatchesForBatchesThatStreamTheirWeights) {
  // From 5 to 48 rows where there is AVX-512: whole blocks of steps, steps and parts of a step behind them,
  // fewer than a block; several groups of outputs and single ones; several pieces, for two threads.
  const int64_t rows[] = {5, 12, 16, 31, 48, 49}, inputs[] = {256, 320, 339, 1100, 60, 7};
  const int64_t outputs[] = {24, 31, 66, 5};
  for (int i = 0; i < (sanitized() ? 8 : 24); ++i) {
    const DType dtype = i % 2 == 0 ? DType::kBFloat16 : DType::kFloat32;
    checkShape(rows[i % 6], inputs[i / 2 % 6], outputs[i % 4], dtype, i % 3 != 0);
  }
  if (!sanitized()) checkShape(16, 1100, 1600, DType::kBFloat16, true);
}

TEST(linearOfNoInputsIsTheBias) {
  const std::vector<float> nothing, bias = {1, -2, 3};
  forEachPool([&](ThreadPool& pool) {
    for (int64_t rows : {1, 4, 9, 40, 100}) {
      const std::vector<float> y =
          run(pool, nothing, {nothing.data(), DType::kFloat32}, {bias.data(), DType::kFloat32}, rows, 0, 3);
      for (int64_t i = 0; i < rows * 3; ++i)
        CHECK(y[static_cast<size_t>(i)] == bias[static_cast<size_t>(i % 3)]);
    }
  });
}

TEST(linearMatchesAcrossBlocks) {
  // Longer than a block of the reduction, more rows than a block of rows, more outputs than a chunk.
  checkShape(131, 1100, 70, DType::kBFloat16, true);
  if (sanitized()) return;
  checkShape(131, 1100, 70, DType::kInt8, true);
  checkShape(300, 2061, 141, DType::kFloat32, true);
  checkShape(5, 5000, 300, DType::kBFloat16, false);
}

TEST(linearGivesTheSameBitsForBFloat16AndItsFloat32Values) {
  Random random(5);
  const int64_t in = 515, out = 37;
  const StoredWeight weight(random, static_cast<size_t>(in * out), DType::kBFloat16);
  const std::vector<float> x = random.normals(static_cast<size_t>(9 * in));
  forEachPool([&](ThreadPool& pool) {
    for (int64_t rows : {1, 2, 3, 4, 9}) {
      const Weight widened = {weight.values().data(), DType::kFloat32};
      CHECK(sameBits(run(pool, x, weight.weight(), kNone, rows, in, out),
                     run(pool, x, widened, kNone, rows, in, out)));
    }
  });
}

TEST(linearGivesTheSameBitsOnEveryInstructionSetWithFma) {
  Random random(6);
  const int64_t in = 1030, out = 53;
  const StoredWeight weight(random, static_cast<size_t>(in * out), DType::kBFloat16);
  const std::vector<float> x = random.normals(static_cast<size_t>(21 * in));
  ThreadPool pool(2);
  std::vector<float> first;
  forEachInstructionSet([&] {
    if (std::strcmp(persimmon::cpu::instructionSet(), "portable") == 0) return;
    const std::vector<float> y = run(pool, x, weight.weight(), kNone, 21, in, out);
    if (first.empty()) first = y;
    CHECK(sameBits(y, first));
  });
}

TEST(linearOfWholeTilesKeepsWhatIsNotFinite) {
  const int64_t in = 512, out = 1040;
  Random random(12);
  const StoredWeight weight(random, static_cast<size_t>(in * out), DType::kBFloat16, 1, 3);
  for (int64_t rows : {5, 40}) {
    std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
    x[2 * in + 7] = HUGE_VALF;
    uint32_t quiet = 0x7F800001;  // a NaN by its last bit only
    std::memcpy(&x[3 * in], &quiet, sizeof quiet);
    x[4 * in + 1] = 3e38f;
    forEachPool([&](ThreadPool& pool) {
      const std::vector<float> y = run(pool, x, weight.weight(), kNone, rows, in, out);
      for (int64_t i = 0; i < rows * out; ++i) {
        const float value = y[static_cast<size_t>(i)],
                    w = weight.values()[static_cast<size_t>(i % out * in + 7)];
        const int64_t row = i / out;
        if (row == 2) {
          CHECK(value == (w > 0 ? HUGE_VALF : -HUGE_VALF));
        } else if (row == 3) {
          CHECK(std::isnan(value));
        } else if (row != 4) {
          CHECK(std::isfinite(value));
        }
      }
    });
  }
}

TEST(linearOfWholeTilesKeepsAllDigitsOfItsActivations) {
  // One input for each output, so that nothing is added; 2^-100 is far from subnormal, 3e-39 is not.
  const int64_t in = 1024, out = 1024;
  std::vector<uint16_t> identity(in * out, 0);
  for (int64_t i = 0; i < in; ++i) identity[static_cast<size_t>(i * in + i)] = 0x3F80;
  Random random(13);
  std::vector<float> x = random.normals(3 * in);
  for (float& value : x) value *= 1.0f + 0x1p-23f;
  x[5] = 0x1.fffffep-100f;
  x[6] = -0x1.fffffep+120f;
  x[7] = 3e-39f;
  ThreadPool pool(2);
  forEachInstructionSet([&] {
    const std::vector<float> y = run(pool, x, {identity.data(), DType::kBFloat16}, kNone, 3, in, out);
    for (size_t i = 0; i < x.size(); ++i) {
      if (i == 7) {
        CHECK(y[i] == x[i] || y[i] == 0);
      } else {
        CHECK(y[i] == x[i]);
      }
    }
  });
}

TEST(linearKeepsInfinitiesInTheirRows) {
  Random random(7);
  // 21 rows are packed, 6 are not; the infinity is the first input of its row, next to the last of the row
  // before.
  const int64_t in = 33, out = 9;
  const StoredWeight weight(random, static_cast<size_t>(in * out), DType::kFloat32);
  for (int64_t rows : {6, 21}) {
    std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
    x[2 * in] = HUGE_VALF;
    forEachPool([&](ThreadPool& pool) {
      const std::vector<float> y = run(pool, x, weight.weight(), kNone, rows, in, out);
      for (int64_t i = 0; i < rows * out; ++i)
        CHECK(std::isfinite(y[static_cast<size_t>(i)]) == (i / out != 2));
    });
  }
}
