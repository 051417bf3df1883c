#include "linear_case.h"

using namespace check;
using persimmon::cpu::countNonFiniteWeights;
using persimmon::cpu::linearByInput;
using persimmon::cpu::transposeWeight;

namespace {

std::vector<float> run(ThreadPool& pool, const std::vector<float>& x, Weight weight, Weight bias,
                       int64_t rows, int64_t in, int64_t out) {
  return runLinear(linearByInput, pool, x, weight, bias, rows, in, out);
}

void checkShape(int64_t rows, int64_t in, int64_t out, DType dtype, bool withBias, int percent) {
  const auto index = [](int64_t o, int64_t k, int64_t outs, int64_t) { return k * outs + o; };
  checkLinear(linearByInput, index, rows, in, out, dtype, withBias, percent);
}

constexpr DType kTypes[] = {DType::kFloat32, DType::kBFloat16, DType::kInt8};

}  // namespace

TEST(linearByInputMatchesANaiveLoopOverOddShapes) {
  Random random(1);
  const int64_t sizes[] = {1, 3, 16, 17, 64, 80, 100, 130};
  const int percents[] = {0, 50, 90, 100};
  for (int i = 0; i < (sanitized() ? 12 : 40); ++i) {
    checkShape(1 + random.below(30), sizes[random.below(8)], sizes[random.below(8)], kTypes[i % 3],
               i % 3 != 0, percents[i % 4]);
  }
}

TEST(linearByInputMatchesAcrossChunksPanelsAndPieces) {
  // Longer than a chunk of the inputs, more rows than a block of rows, more outputs than a piece.
  checkShape(131, 600, 270, DType::kBFloat16, true, 90);
  if (sanitized()) return;
  checkShape(1, 2061, 4500, DType::kBFloat16, true, 90);
  checkShape(131, 600, 270, DType::kInt8, true, 90);
  checkShape(1, 2061, 4500, DType::kInt8, true, 90);
  checkShape(16, 1100, 1500, DType::kFloat32, false, 80);
}

TEST(linearByInputMatchesInWholeTiles) {
  // As in linear_test.cc; up to 8 rows leave out zeros where there are enough of them.
  const int64_t rows[] = {1, 8, 9, 33, 17, 2, 16, 32, 49, 70}, inputs[] = {512, 544, 1056};
  const int64_t outputs[] = {1040, 1072, 2064};
  const int percents[] = {90, 95, 50, 0, 100};
  for (int i = 0; i < (sanitized() ? 5 : 10); ++i) {
    checkShape(rows[i], inputs[i % 3], outputs[i / 3 % 3], DType::kBFloat16, i % 3 != 0, percents[i % 5]);
  }
  if (sanitized()) return;
  for (int percent : percents) checkShape(2, 544, 1072, DType::kBFloat16, true, percent);
  checkShape(261, 1056, 1104, DType::kBFloat16, true, 90);
}

TEST(linearByInputGivesARowItsBitsAmongOthersWhereNumbersAreSubnormal) {
  const int64_t rows = 20, in = 512, out = 1040;
  Random random(14);
  const StoredWeight weight(random, static_cast<size_t>(in * out), DType::kBFloat16, 1e-19f);
  std::vector<float> x = sparseNormals(random, rows * in, 50);
  for (size_t i = 0; i < x.size(); ++i) x[i] *= i % 2 ? 1e-20f : 1e-19f;
  // One row of zeros, so that nothing but the bias is left, and one that vanishes before it.
  std::fill_n(x.begin() + in, in, 0.0f);
  std::fill_n(x.begin() + 2 * in, in, -1e-30f);
  std::vector<uint16_t> bias(static_cast<size_t>(out));
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = i % 3 == 0 ? 0x8000 : i % 3 == 1 ? 0x0001 : 0x8001;
  ThreadPool pool(1);
  forEachInstructionSet([&] {
    for (const Weight& shift : {kNone, Weight{bias.data(), DType::kBFloat16}}) {
      const std::vector<float> y = run(pool, x, weight.weight(), shift, rows, in, out);
      for (int64_t r = 0; r < rows; ++r) {
        const std::vector<float> row(x.begin() + r * in, x.begin() + (r + 1) * in);
        const std::vector<float> alone = run(pool, row, weight.weight(), shift, 1, in, out);
        CHECK(std::memcmp(alone.data(), y.data() + r * out, alone.size() * sizeof(float)) == 0);
      }
    }
  });
}

TEST(linearByInputMatchesForInt4) {
  Random random(7);
  const int64_t inputs[] = {32, 64, 96, 320, 1056}, outputs[] = {1, 3, 16, 63, 64, 65, 100, 200};
  const int percents[] = {0, 50, 90, 100};
  for (int i = 0; i < (sanitized() ? 10 : 30); ++i) {
    checkShape(1 + random.below(30), inputs[random.below(5)], outputs[random.below(8)], DType::kInt4, i % 2,
               percents[i % 4]);
  }
  if (sanitized()) return;
  checkShape(1, 2048, 4500, DType::kInt4, true, 90);
  checkShape(131, 608, 670, DType::kInt4, true, 90);
}

TEST(linearByInputGivesTheSameBitsWithMoreThreadsThanParts) {
  // 320 inputs are two parts, and more than a mebibyte of weights is shared among the threads.
  const int64_t in = 320, out = 9000;
  Random random(16);
  const std::vector<float> x = sparseNormals(random, 3 * in, 50);
  const StoredWeight floats(random, static_cast<size_t>(in * out), DType::kFloat32);
  const StoredWeight halves(random, static_cast<size_t>(in * out), DType::kBFloat16);
  // Any bytes are numbers of int8 and int4; 9024 outputs are whole units of 64.
  const int64_t units = 9024;
  std::vector<uint8_t> bytes(static_cast<size_t>(in * units));
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.bits());
  const std::vector<float> scales(static_cast<size_t>(out), 0.01f);
  const std::vector<uint16_t> groupScales(static_cast<size_t>(in / 32 * units), 0x3C24);
  const Weight int8 = {bytes.data(), DType::kInt8, scales.data()};
  const Weight int4 = {bytes.data(), DType::kInt4, groupScales.data()};
  ThreadPool one(1), seven(7);
  forEachInstructionSet([&] {
    for (auto precision : {persimmon::MatmulPrecision::kHighest, persimmon::MatmulPrecision::kMedium}) {
      one.setMatmulPrecision(precision);
      seven.setMatmulPrecision(precision);
      for (const Weight& weight : {floats.weight(), halves.weight(), int8, int4}) {
        for (int64_t rows : {1, 3}) {
          CHECK(sameBits(run(seven, x, weight, kNone, rows, in, out),
                         run(one, x, weight, kNone, rows, in, out)));
        }
      }
    }
  });
}

TEST(linearByInputOfNoInputsIsTheBias) {
  const std::vector<float> nothing, bias = {1, -2, 3};
  forEachPool([&](ThreadPool& pool) {
    for (int64_t rows : {1, 2, 40}) {
      const std::vector<float> y =
          run(pool, nothing, {nothing.data(), DType::kFloat32}, {bias.data(), DType::kFloat32}, rows, 0, 3);
      for (int64_t i = 0; i < rows * 3; ++i)
        CHECK(y[static_cast<size_t>(i)] == bias[static_cast<size_t>(i % 3)]);
    }
  });
}

TEST(linearByInputDoesNotReadWhatBelongsToZeros) {
  Random random(2);
  const int64_t in = 700, out = 90;
  for (int64_t rows : {1, 3, 16}) {
    std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
    const std::vector<float> finite = random.normals(static_cast<size_t>(in * out));
    std::vector<float> weight = finite;
    for (int64_t k = 0; k < in; ++k) {
      if (random.below(10) == 0) continue;
      for (int64_t r = 0; r < rows; ++r) x[static_cast<size_t>(r * in + k)] = r % 2 ? -0.0f : 0.0f;
      std::fill_n(weight.begin() + k * out, out, std::nanf(""));
    }
    forEachPool([&](ThreadPool& pool) {
      CHECK(sameBits(run(pool, x, {weight.data(), DType::kFloat32}, kNone, rows, in, out),
                     run(pool, x, {finite.data(), DType::kFloat32}, kNone, rows, in, out)));
    });
  }
}

TEST(linearByInputReadsEverythingForManyRowsOnly) {
  Random random(15);
  const int64_t in = 700, out = 90, most = 33;
  const StoredWeight weight(random, static_cast<size_t>(in * out), DType::kBFloat16);
  std::vector<float> x = random.normals(static_cast<size_t>(most * in));
  for (size_t i = 0; i < x.size(); ++i) x[i] = i % 2 ? x[i] : 0.0f;  // the same inputs in every row
  forEachPool([&](ThreadPool& pool) {
    for (int64_t rows : {int64_t{12}, int64_t{32}, most}) {
      const int64_t skipped = pool.weightTraffic().skipped, read = pool.weightTraffic().read;
      const std::vector<float> y = run(pool, x, weight.weight(), kNone, rows, in, out);
      const bool few = rows <= 32;
      CHECK(pool.weightTraffic().skipped - skipped == (few ? in * out : 0));
      CHECK(pool.weightTraffic().read - read == (few ? in * out : 2 * in * out));
      for (int64_t r = 0; r < rows; ++r) {
        const std::vector<float> row(x.begin() + r * in, x.begin() + (r + 1) * in);
        const std::vector<float> alone = run(pool, row, weight.weight(), kNone, 1, in, out);
        CHECK(std::equal(alone.begin(), alone.end(), y.begin() + r * out));
      }
    }
  });
}

TEST(linearByInputReadsWhatBelongsToNaN) {
  ThreadPool pool(1);
  const std::vector<float> x = {0.0f, std::nanf(""), 1.0f}, weight = {1, 2, 3};
  CHECK(std::isnan(run(pool, x, {weight.data(), DType::kFloat32}, kNone, 1, 3, 1)[0]));
}

TEST(linearByInputOfWholeNumbersRoundsActivationsAsLinearDoes) {
  // 100 inputs are three groups and a part of one, 150 outputs two units of 64 or 128 and a part of one.
  const int64_t rows = 5, in = 100, out = 150;
  Random random(17);
  const std::vector<float> x = sparseNormals(random, rows * in, 60), scales(static_cast<size_t>(out), 0.02f);
  std::vector<int8_t> byOutput(static_cast<size_t>(in * out)), byInput(byOutput.size());
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t k = 0; k < in; ++k) {
      const auto number = static_cast<int8_t>(random.below(255) - 127);
      byOutput[static_cast<size_t>(o * in + k)] = byInput[static_cast<size_t>(k * out + o)] = number;
    }
  }
  std::vector<uint8_t> tiles(static_cast<size_t>(persimmon::cpu::int8TileBytes(out, in)));
  forEachPool([&](ThreadPool& pool) {
    persimmon::cpu::int8ToTiles(pool, tiles.data(), byOutput.data(), out, in);
    const std::vector<float> wanted = runLinear(
        persimmon::cpu::linear, pool, x, {tiles.data(), DType::kInt8, scales.data()}, kNone, rows, in, out);
    const std::vector<float> found =
        run(pool, x, {byInput.data(), DType::kInt8, scales.data()}, kNone, rows, in, out);
    for (size_t i = 0; i < wanted.size(); ++i) CHECK(std::fabs(found[i] - wanted[i]) < 1e-4f);
  });
}

TEST(linearByInputOfWholeNumbersShowsWhatIsNotFinite) {
  const int64_t in = 64, out = 3;
  const std::vector<int8_t> weight(static_cast<size_t>(in * out), 1);
  const std::vector<float> scales(static_cast<size_t>(out), 1.0f);
  forEachPool([&](ThreadPool& pool) {
    for (int64_t rows : {1, 2, 40}) {
      std::vector<float> x(static_cast<size_t>(rows * in), 0.0f);
      x[40] = HUGE_VALF;
      x[static_cast<size_t>((rows - 1) * in) + 3] = rows == 1 ? 0.0f : 2.0f;
      const std::vector<float> y =
          run(pool, x, {weight.data(), DType::kInt8, scales.data()}, kNone, rows, in, out);
      for (int64_t i = 0; i < out; ++i) CHECK(std::isnan(y[static_cast<size_t>(i)]));
      // The other rows have nothing of it.
      if (rows > 1) CHECK(y.back() == 2.0f);
    }
  });
}

TEST(linearByInputGivesTheSameBitsOnEveryInstructionSetWithFma) {
  Random random(6);
  const int64_t in = 1030, out = 153;
  const StoredWeight weight(random, static_cast<size_t>(in * out), DType::kBFloat16);
  const std::vector<float> x = sparseNormals(random, 21 * in, 70);
  ThreadPool pool(2);
  std::vector<float> first;
  forEachInstructionSet([&] {
    if (std::strcmp(persimmon::cpu::instructionSet(), "portable") == 0) return;
    const std::vector<float> y = run(pool, x, weight.weight(), kNone, 21, in, out);
    if (first.empty()) first = y;
    CHECK(sameBits(y, first));
  });
}

TEST(transposeWeightKeepsEveryElement) {
  Random random(3);
  for (DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const int64_t rows = 70, columns = 45;
    const StoredWeight weight(random, static_cast<size_t>(rows * columns), dtype);
    std::vector<float> memory(static_cast<size_t>(rows * columns));
    ThreadPool pool(2);
    transposeWeight(pool, memory.data(), weight.weight(), rows, columns);
    const std::vector<float> ones(static_cast<size_t>(columns), 0.0f);
    for (int64_t c = 0; c < columns; ++c) {
      // One input at a time picks a row of the result.
      std::vector<float> x = ones;
      x[static_cast<size_t>(c)] = 1.0f;
      const std::vector<float> y = run(pool, x, {memory.data(), dtype}, kNone, 1, columns, rows);
      for (int64_t r = 0; r < rows; ++r)
        CHECK(y[static_cast<size_t>(r)] == weight.values()[static_cast<size_t>(r * columns + c)]);
    }
  }
}

TEST(transposeWeightReadsWeightsThatAreNotAligned) {
  ThreadPool pool(1);
  const std::vector<float> numbers = {1, 2, 3, HUGE_VALF};
  std::vector<unsigned char> file(4 * sizeof(float) + 1);
  std::memcpy(file.data() + 1, numbers.data(), 4 * sizeof(float));
  const Weight weight = {file.data() + 1, DType::kFloat32};
  std::vector<float> out(4);
  transposeWeight(pool, out.data(), weight, 2, 2);
  CHECK(out[0] == 1 && out[1] == 3 && out[2] == 2 && out[3] == HUGE_VALF);
  int32_t found = 0;
  countNonFiniteWeights(pool, &found, weight, 4);
  CHECK(found == 1);
}

TEST(countNonFiniteWeightsCountsInfinitiesAndNaN) {
  ThreadPool pool(2);
  std::vector<float> x(200000, 1.0f);
  int32_t found = -1;
  countNonFiniteWeights(pool, &found, {x.data(), DType::kFloat32}, 200000);
  CHECK(found == 0);
  x[3] = HUGE_VALF;
  x[199999] = -HUGE_VALF;
  x[70000] = std::nanf("");
  countNonFiniteWeights(pool, &found, {x.data(), DType::kFloat32}, 200000);
  CHECK(found == 3);
  const std::vector<uint16_t> half = {0x3f80, 0x7f80, 0xffc0, 0x7f7f};
  countNonFiniteWeights(pool, &found, {half.data(), DType::kBFloat16}, 4);
  CHECK(found == 2);
}
