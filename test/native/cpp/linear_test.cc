#include "check.h"

using namespace check;
using persimmon::cpu::linear;

namespace {

std::vector<float> run(ThreadPool& pool, const std::vector<float>& x, Weight weight, Weight bias,
                       int64_t rows, int64_t in, int64_t out) {
  std::vector<float> result(static_cast<size_t>(rows * out), -77.0f);
  linear(pool, result.data(), x.data(), weight, bias, rows, in, out);
  return result;
}

void checkShape(int64_t rows, int64_t in, int64_t out, DType dtype, bool withBias) {
  Random random(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out));
  const StoredWeight weight(random, static_cast<size_t>(in * out), dtype);
  const StoredWeight bias(random, static_cast<size_t>(out), dtype);
  const std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
  std::vector<double> expected(static_cast<size_t>(rows * out));
  double largest = 1;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = 0;
      for (int64_t k = 0; k < in; ++k) {
        sum += static_cast<double>(x[static_cast<size_t>(r * in + k)]) *
               weight.values()[static_cast<size_t>(o * in + k)];
      }
      expected[static_cast<size_t>(r * out + o)] =
          sum + (withBias ? bias.values()[static_cast<size_t>(o)] : 0.0f);
      largest = std::max(largest, std::fabs(sum));
    }
  }
  const std::string shape = std::to_string(rows) + "x" + std::to_string(in) + "x" + std::to_string(out);
  forEachInstructionSet([&] {
    std::vector<float> first;
    for (int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      const std::vector<float> y =
          run(pool, x, weight.weight(), withBias ? bias.weight() : kNone, rows, in, out);
      if (threads > 1) {
        CHECK_MESSAGE(sameBits(y, first), shape + " with threads " + std::to_string(threads));
        continue;
      }
      first = y;
      CHECK_MESSAGE(distance(y, expected) < 3e-6 * std::sqrt(static_cast<double>(in)) + 1e-6,
                    shape + " is off by " + std::to_string(distance(y, expected)));
      // Each row alone gives the bits that it has among the others.
      for (int64_t r = 0; r < rows; r += rows > 8 ? 7 : 1) {
        const std::vector<float> row(x.begin() + r * in, x.begin() + (r + 1) * in);
        const std::vector<float> alone =
            run(pool, row, weight.weight(), withBias ? bias.weight() : kNone, 1, in, out);
        CHECK_MESSAGE(std::memcmp(alone.data(), y.data() + r * out, alone.size() * 4) == 0,
                      shape + " row alone");
      }
    }
  });
}

}  // namespace

TEST(linearMatchesANaiveLoopOverOddShapes) {
  Random random(1);
  const int64_t sizes[] = {1, 3, 16, 17, 64, 80, 100, 130};
  for (int i = 0; i < (sanitized() ? 12 : 40); ++i) {
    checkShape(1 + random.below(70), sizes[random.below(8)], sizes[random.below(8)],
               i % 2 ? DType::kBFloat16 : DType::kFloat32, i % 3 != 0);
  }
}

TEST(linearMatchesForEveryCountOfRows) {
  for (int64_t rows = 1; rows <= 20; ++rows) checkShape(rows, 67, 29, DType::kBFloat16, true);
}

TEST(linearMatchesAcrossBlocks) {
  // Longer than a block of the reduction, more rows than a block of rows, more outputs than a chunk.
  checkShape(131, 1100, 70, DType::kBFloat16, true);
  if (sanitized()) return;
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
