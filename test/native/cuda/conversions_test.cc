#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

TEST(everyFloat16AndBFloat16IsWidenedAsOnTheCpu) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  const OnGpu<uint16_t> input(all);
  for (const DType dtype : {DType::kFloat16, DType::kBFloat16}) {
    std::vector<float> expected(all.size());
    cpu::convertToFloat32(cpuPool(), expected.data(), all.data(), dtype, 65536);
    const OnGpu<float> out(all.size());
    cuda::convert(gpu(), out.data(), DType::kFloat32, input.data(), dtype, 65536);
    const std::vector<float> got = out.read();
    for (size_t i = 0; i < all.size(); ++i) {
      CHECK(std::isnan(expected[i]) ? std::isnan(got[i]) : std::memcmp(&got[i], &expected[i], 4) == 0);
    }
  }
}

TEST(bfloat16IsRoundedAsOnTheCpu) {
  Random random(51);
  std::vector<float> x = random.normals(5000);
  const float special[] = {0.0f,        -0.0f,       HUGE_VALF,     -HUGE_VALF,
                           1.00390625f, 1.01171875f, 3.3895314e38f, 1e-40f};
  x.insert(x.end(), std::begin(special), std::end(special));
  std::vector<uint16_t> expected(x.size());
  cpu::convertToBFloat16(cpuPool(), expected.data(), x.data(), static_cast<int64_t>(x.size()));
  const OnGpu<float> input(x);
  const OnGpu<uint16_t> out(x.size());
  cuda::convert(gpu(), out.data(), DType::kBFloat16, input.data(), DType::kFloat32,
                static_cast<int64_t>(x.size()));
  CHECK(out.read() == expected);
  const OnGpu<float> nan(std::vector<float>{NAN});
  const OnGpu<uint16_t> rounded(1);
  cuda::convert(gpu(), rounded.data(), DType::kBFloat16, nan.data(), DType::kFloat32, 1);
  CHECK(std::isnan(bfloat16ToFloat(rounded.read()[0])));
}

TEST(wholeNumbersBecomeFloats) {
  const std::vector<int32_t> x = {0, -1, 7, 16777216, 16777217, 2147483647, -2147483647 - 1};
  const OnGpu<int32_t> input(x);
  const OnGpu<float> out(x.size());
  cuda::convert(gpu(), out.data(), DType::kFloat32, input.data(), DType::kInt32,
                static_cast<int64_t>(x.size()));
  const std::vector<float> got = out.read();
  for (size_t i = 0; i < x.size(); ++i) CHECK(got[i] == static_cast<float>(x[i]));
}

TEST(infiniteAndNaNWeightsAreCounted) {
  std::vector<float> x(1000, 1.0f);
  x[0] = NAN;
  x[500] = HUGE_VALF;
  x[999] = -HUGE_VALF;
  const OnGpu<float> input(x);
  const OnGpu<int32_t> found(1);
  cuda::countNonFiniteWeights(gpu(), found.data(), {input.data(), DType::kFloat32}, 1000);
  CHECK(found.read()[0] == 3);
  cuda::countNonFiniteWeights(gpu(), found.data(), {input.data() + 1, DType::kFloat32}, 499);
  CHECK(found.read()[0] == 0);
}
