// MatmulPrecision::kMedium: activations rounded to bfloat16 where that is faster.
#include "linear_case.h"

using namespace check;
using persimmon::MatmulPrecision;
namespace cpu = persimmon::cpu;

namespace {

constexpr auto kMedium = MatmulPrecision::kMedium;

int64_t byOutput(int64_t o, int64_t k, int64_t, int64_t in) { return o * in + k; }
int64_t byInput(int64_t o, int64_t k, int64_t out, int64_t) { return k * out + o; }

}  // namespace

TEST(mediumPrecisionMatchesANaiveLoopOverOddShapes) {
  Random random(21);
  const int64_t sizes[] = {1, 3, 16, 31, 33, 64, 80, 100, 130};
  const int percents[] = {0, 50, 90, 100};
  for (int i = 0; i < (sanitized() ? 16 : 60); ++i) {
    const int64_t rows = 1 + random.below(40), in = sizes[random.below(9)], out = sizes[random.below(9)];
    checkLinear(cpu::linear, byOutput, rows, in, out, DType::kBFloat16, i % 3 != 0, 0, kMedium);
    const DType type = i % 3 == 0 ? DType::kInt8 : i % 3 == 1 ? DType::kBFloat16 : DType::kFloat32;
    checkLinear(cpu::linearByInput, byInput, rows, in, out, type, i % 3 != 0, percents[i % 4], kMedium);
  }
}

TEST(mediumPrecisionMatchesForBatchesThatStreamTheirWeights) {
  const int64_t rows[] = {5, 12, 16, 31, 48, 49}, inputs[] = {256, 384, 339, 1100, 60, 7};
  const int64_t outputs[] = {24, 31, 66, 130};
  for (int i = 0; i < (sanitized() ? 8 : 24); ++i) {
    checkLinear(cpu::linear, byOutput, rows[i % 6], inputs[i / 2 % 6], outputs[i % 4], DType::kBFloat16,
                i % 3 != 0, 0, kMedium);
    checkLinear(cpu::linearByInput, byInput, rows[i % 6], inputs[i / 2 % 6], outputs[i % 4], DType::kBFloat16,
                i % 3 != 0, 50, kMedium);
  }
}

TEST(mediumPrecisionMatchesForInt4) {
  Random random(22);
  const int64_t inputs[] = {32, 64, 96, 320, 1056}, outputs[] = {1, 3, 16, 63, 64, 65, 100, 200};
  const int percents[] = {0, 50, 90, 100};
  for (int i = 0; i < (sanitized() ? 10 : 30); ++i) {
    checkLinear(cpu::linearByInput, byInput, 1 + random.below(40), inputs[random.below(5)],
                outputs[random.below(8)], DType::kInt4, i % 2, percents[i % 4], kMedium);
  }
}

TEST(mediumPrecisionMatchesAcrossBlocksPanelsAndPieces) {
  // More rows than a block, more inputs than a block of steps and than a chunk, several chunks of outputs.
  checkLinear(cpu::linear, byOutput, 131, 1100, 300, DType::kBFloat16, true, 0, kMedium);
  checkLinear(cpu::linearByInput, byInput, 131, 601, 270, DType::kBFloat16, true, 90, kMedium);
  if (sanitized()) return;
  checkLinear(cpu::linear, byOutput, 17, 2080, 1600, DType::kBFloat16, true, 0, kMedium);
  checkLinear(cpu::linearByInput, byInput, 131, 600, 270, DType::kInt8, true, 90, kMedium);
  checkLinear(cpu::linearByInput, byInput, 131, 608, 670, DType::kInt4, true, 90, kMedium);
  checkLinear(cpu::linearByInput, byInput, 1, 2061, 4500, DType::kBFloat16, true, 90, kMedium);
}

TEST(mediumPrecisionRoundsActivationsToBFloat16WhereThatIsFaster) {
  const int64_t in = 96, out = 70;
  Random random(23);
  const StoredWeight halves(random, static_cast<size_t>(in * out), DType::kBFloat16);
  const StoredWeight floats(random, static_cast<size_t>(in * out), DType::kFloat32);
  forEachInstructionSet([&] {
    const bool faster = std::string(cpu::instructionSet()).find("avx512-bf16") == 0;
    for (const LinearKernel* kernel : {&cpu::linear, &cpu::linearByInput}) {
      for (int64_t rows : {1, 4, 12, 40}) {
        const std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
        ThreadPool medium(2), highest(2);
        medium.setMatmulPrecision(kMedium);
        const auto run = [&](ThreadPool& pool, const std::vector<float>& inputs, Weight weight) {
          return runLinear(*kernel, pool, inputs, weight, kNone, rows, in, out);
        };
        const std::vector<float> y = run(medium, x, halves.weight());
        if (std::string(cpu::instructionSet()) != "avx512-amx") {
          CHECK(sameBits(y, run(medium, inBFloat16(x), halves.weight())) == faster);
          CHECK(sameBits(y, run(highest, x, halves.weight())) == !faster);
        }
        // Weights of float32 keep the digits of their activations.
        CHECK(sameBits(run(medium, x, floats.weight()), run(highest, x, floats.weight())));
      }
    }
  });
}
