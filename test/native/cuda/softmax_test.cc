#include <algorithm>

#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

struct Rows {
  int64_t rows, width;
};
// One piece and several (of 4,096), each whole and not.
const Rows kShapes[] = {{0, 7},    {1, 1},    {3, 2},    {5, 64},   {2, 257},
                        {2, 1023}, {1, 4096}, {2, 4097}, {3, 13001}};

std::vector<float> ofCpu(decltype(cpu::softmax)* op, const std::vector<float>& x, const Rows& shape) {
  std::vector<float> out(x.size());
  op(cpuPool(), out.data(), x.data(), shape.rows, shape.width);
  return out;
}

std::vector<float> ofGpu(decltype(cuda::softmax)* op, const std::vector<float>& x, const Rows& shape) {
  const OnGpu<float> input(x), out(x.size());
  op(gpu(), out.data(), input.data(), shape.rows, shape.width);
  op(gpu(), input.data(), input.data(), shape.rows, shape.width);
  CHECK(sameBits(out.read(), input.read()));
  return out.read();
}

}  // namespace

TEST(softmaxIsThatOfTheCpu) {
  Random random(20);
  for (const Rows& shape : kShapes) {
    std::vector<float> x = random.normals(static_cast<size_t>(shape.rows * shape.width), 5);
    for (float& value : x) value -= 300;  // a maximum far from 0
    const std::vector<float> expected = ofCpu(cpu::softmax, x, shape), found = ofGpu(cuda::softmax, x, shape);
    double worst = 0;  // relative: shares of a wide row are all small
    for (size_t i = 0; i < x.size(); ++i)
      worst = std::max(worst, std::fabs(found[i] - expected[i]) / (1e-30 + static_cast<double>(expected[i])));
    CHECK_MESSAGE(worst < 1e-5, std::to_string(shape.width));
    CHECK(distance(ofGpu(cuda::logSoftmax, x, shape), ofCpu(cpu::logSoftmax, x, shape)) < 1e-6);
  }
}

TEST(softmaxOfOddRowsIsThatOfTheCpu) {
  for (const int64_t width : {3, 9000}) {
    const auto rowOf = [&](std::vector<float> first, float rest) {
      first.resize(static_cast<size_t>(width), rest);
      return first;
    };
    // The later pieces of the long row hold only `rest`.
    for (const std::vector<float>& x :
         {rowOf({1, NAN, 2}, 0), rowOf({NAN, NAN}, NAN), rowOf({HUGE_VALF, 1, 2}, 3),
          rowOf({-HUGE_VALF}, -HUGE_VALF), rowOf({-200, -201, -HUGE_VALF}, -HUGE_VALF),
          rowOf({3e38f, -3e38f, 0}, -3e38f)}) {
      const Rows shape{1, width};
      CHECK(distance(ofGpu(cuda::softmax, x, shape), ofCpu(cpu::softmax, x, shape)) < 1e-6);
      const std::vector<float> found = ofGpu(cuda::logSoftmax, x, shape),
                               expected = ofCpu(cpu::logSoftmax, x, shape);
      for (size_t i = 0; i < x.size(); ++i)
        CHECK(found[i] == expected[i] || std::fabs(found[i] - expected[i]) < 1e-4 ||
              (std::isnan(found[i]) && std::isnan(expected[i])));
    }
  }
}

TEST(gatherLogProbabilityIsLogSoftmaxBitForBit) {
  Random random(21);
  for (const Rows& shape : kShapes) {
    const std::vector<float> x = random.normals(static_cast<size_t>(shape.rows * shape.width), 3);
    std::vector<int32_t> ids(static_cast<size_t>(shape.rows));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(shape.width));
    const std::vector<float> all = ofGpu(cuda::logSoftmax, x, shape);
    std::vector<float> expected(ids.size()), onCpu(ids.size());
    for (size_t row = 0; row < ids.size(); ++row)
      expected[row] = all[row * static_cast<size_t>(shape.width) + static_cast<size_t>(ids[row])];
    cpu::gatherLogProbability(cpuPool(), onCpu.data(), x.data(), ids.data(), shape.rows, shape.width);
    const OnGpu<float> input(x), out(ids.size());
    const OnGpu<int32_t> onIds(ids);
    cuda::gatherLogProbability(gpu(), out.data(), input.data(), onIds.data(), shape.rows, shape.width);
    CHECK(sameBits(out.read(), expected));
    CHECK(distance(out.read(), onCpu) < 1e-6);
  }
}

TEST(gatherLogProbabilityOfAnIdOutsideIsNaN) {
  const OnGpu<float> input(std::vector<float>{1, 2, 3, 1, 2, 3}), out(2);
  const OnGpu<int32_t> ids(std::vector<int32_t>{3, -1});
  cuda::gatherLogProbability(gpu(), out.data(), input.data(), ids.data(), 2, 3);
  CHECK(std::isnan(out.read()[0]) && std::isnan(out.read()[1]));
}
