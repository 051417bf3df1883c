#include "linear_case.h"

using namespace check;
using persimmon::cpu::linear;

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

TEST(linearMatchesForEveryCountOfRows) {
  for (DType dtype : {DType::kBFloat16, DType::kInt8}) {
    for (int64_t rows = 1; rows <= 20; ++rows) checkShape(rows, 67, 29, dtype, true);
  }
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
