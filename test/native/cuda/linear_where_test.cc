#include "matrix_case.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

/** Numbers above and below zero, zeros of either sign and NaN; about `percent` of a hundred are shut. */
std::vector<float> randomGate(Random& random, int64_t count, int percent) {
  std::vector<float> gate(static_cast<size_t>(count));
  for (float& value : gate) {
    const float shut[] = {0.0f, -0.0f, -HUGE_VALF, -1e-40f}, open[] = {NAN, HUGE_VALF, 1e-40f, 3.0f};
    value = random.below(100) < percent ? shut[random.below(4)] : open[random.below(4)];
  }
  return gate;
}

void checkWhere(int64_t rows, int64_t in, int64_t out, DType dtype, int percent, bool misaligned = false) {
  Random random(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out + percent));
  const MatrixOnGpu matrix(random, dtype, WeightOrder::kRows, out, in, misaligned);
  const BiasOnGpu bias(random, static_cast<size_t>(out), dtype);
  const std::vector<float> x = random.normals(static_cast<size_t>(rows * in)),
                           gate = randomGate(random, rows * out, percent);
  std::vector<float> expected(gate.size());
  cpu::linearWhere(cpuPool(), expected.data(), x.data(), matrix.onHost(), bias.onHost(), gate.data(), rows,
                   in, out);
  const OnGpu<float> input(x), onGate(gate), result(gate.size());
  cuda::linearWhere(gpu(), result.data(), input.data(), matrix.weight(), bias.weight(), onGate.data(), rows,
                    in, out);
  const std::vector<float> found = result.read();
  CHECK(distance(found, expected) < 2e-6 * std::sqrt(static_cast<double>(in)) + 1e-6);
  for (size_t i = 0; i < gate.size(); ++i) CHECK(!(gate[i] <= 0) || found[i] == 0);
}

}  // namespace

TEST(linearWhereMatchesTheCpu) {
  Random random(3);
  const int percents[] = {0, 50, 90, 100};
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const int64_t rows : {0, 1, 3, 8, 9}) {
      checkWhere(rows, 256, 40, dtype, percents[random.below(4)]);
      checkWhere(rows, 1 + random.below(130), 1 + random.below(130), dtype, percents[random.below(4)],
                 rows == 3);
    }
    checkWhere(1, 2304, 100, dtype, 90);
    checkWhere(2, 0, 10, dtype, 50);
  }
}

TEST(linearWhereDoesNotReadTheRowsThatAreShutOnTheGpu) {
  Random random(2);
  const int64_t in = 72, out = 70;
  for (const int64_t rows : {1, 8}) {
    const std::vector<float> one = randomGate(random, out, 80),
                             x = random.normals(static_cast<size_t>(rows * in));
    std::vector<float> gate, weight = random.normals(in * out);
    for (int64_t r = 0; r < rows; ++r) gate.insert(gate.end(), one.begin(), one.end());
    int64_t open = 0;
    for (size_t o = 0; o < out; ++o) {
      if (one[o] <= 0) {
        std::fill_n(weight.begin() + static_cast<int64_t>(o) * in, in, NAN);
      } else {
        ++open;
      }
    }
    const OnGpu<float> input(x), onWeight(weight), onGate(gate), result(gate.size());
    const auto [read, skipped] = weightTrafficOfGpu();
    cuda::linearWhere(gpu(), result.data(), input.data(), {onWeight.data(), DType::kFloat32}, kNone,
                      onGate.data(), rows, in, out);
    for (const float value : result.read()) CHECK(std::isfinite(value));
    const auto [readAfter, skippedAfter] = weightTrafficOfGpu();
    CHECK(readAfter - read == open * in * 4 && skippedAfter - skipped == (out - open) * in * 4);
  }
}
