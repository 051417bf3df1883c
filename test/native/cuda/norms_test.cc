#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

struct Shape {
  int64_t rows, width;
};
constexpr Shape kShapes[] = {{0, 8},   {1, 1},   {3, 2},    {2, 31},  {5, 64},
                             {4, 256}, {3, 257}, {2, 4096}, {1, 5003}};

/** x, far from zero so that a mean which cancels would be noticed, and the same on the GPU. */
std::vector<float> shifted(Random& random, int64_t count) {
  std::vector<float> x = random.normals(static_cast<size_t>(count), 0.5f);
  for (float& value : x) value += 100.0f;
  return x;
}

}  // namespace

TEST(layerNormIsThatOfTheCpu) {
  Random random(1);
  for (const auto [rows, width] : kShapes) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const WeightOnGpu weight(random, static_cast<size_t>(width), dtype),
          bias(random, static_cast<size_t>(width), dtype);
      const std::vector<float> x = shifted(random, rows * width);
      for (const bool plain : {false, true}) {
        std::vector<float> expected(x.size());
        cpu::layerNorm(cpuPool(), expected.data(), x.data(), plain ? kNone : weight.onHost(),
                       plain ? kNone : bias.onHost(), rows, width, 1e-5f);
        const OnGpu<float> input(x), out(x.size());
        for (float* target : {out.data(), input.data()}) {  // the second time in place
          cuda::layerNorm(gpu(), target, input.data(), plain ? kNone : weight.weight(),
                          plain ? kNone : bias.weight(), rows, width, 1e-5f);
        }
        CHECK(distance(out.read(), expected) <
              2e-4);  // 100 has 2^-17 of room below it, and the deviation is 0.5
        CHECK(sameBits(input.read(), out.read()));
      }
    }
  }
}

TEST(rmsNormIsThatOfTheCpu) {
  Random random(2);
  for (const auto [rows, width] : kShapes) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const WeightOnGpu weight(random, static_cast<size_t>(width), dtype);
      const std::vector<float> x = random.normals(static_cast<size_t>(rows * width), 3);
      std::vector<float> expected(x.size());
      cpu::rmsNorm(cpuPool(), expected.data(), x.data(), weight.onHost(), rows, width, 1e-5f);
      const OnGpu<float> input(x), out(x.size());
      for (float* target : {out.data(), input.data()})
        cuda::rmsNorm(gpu(), target, input.data(), weight.weight(), rows, width, 1e-5f);
      CHECK(distance(out.read(), expected) < 1e-5);
      CHECK(sameBits(input.read(), out.read()));
    }
  }
}
