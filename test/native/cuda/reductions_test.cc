#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

const std::pair<decltype(cpu::sumRows)*, decltype(cuda::sumRows)*> kSums[] = {
    {cpu::sumRows, cuda::sumRows}, {cpu::meanRows, cuda::meanRows}};
const std::pair<decltype(cpu::sumRows)*, decltype(cuda::sumRows)*> kExtremes[] = {
    {cpu::maxRows, cuda::maxRows}, {cpu::minRows, cuda::minRows}};

// Both, of rows of a width.
std::pair<std::vector<float>, std::vector<float>> both(
    const std::pair<decltype(cpu::sumRows)*, decltype(cuda::sumRows)*>& ops, const std::vector<float>& x,
    int64_t rows) {
  const int64_t width = rows == 0 ? 3 : static_cast<int64_t>(x.size()) / rows;
  std::vector<float> expected(static_cast<size_t>(rows));
  ops.first(cpuPool(), expected.data(), x.data(), rows, width);
  const OnGpu<float> input(x), out(expected.size());
  ops.second(gpu(), out.data(), input.data(), rows, width);
  return {out.read(), expected};
}

}  // namespace

TEST(reductionsAreThoseOfTheCpu) {
  Random random(22);
  for (const auto& [rows, width] :
       std::vector<std::pair<int64_t, int64_t>>{{0, 3}, {5, 1}, {3, 7}, {4, 129}, {2, 1000}, {2, 5003}}) {
    std::vector<float> x = random.normals(static_cast<size_t>(rows * width));
    // Large numbers that cancel: a sum in single precision would lose the rest.
    if (width > 10) x[1] = 1e8f, x[static_cast<size_t>(width) - 2] = -1e8f;
    for (const auto& ops : kSums) {
      const auto [found, expected] = both(ops, x, rows);
      CHECK(distance(found, expected) < 1e-7);
    }
    for (const auto& ops : kExtremes) {
      const auto [found, expected] = both(ops, x, rows);
      CHECK(sameBits(found, expected));
    }
  }
}

TEST(reductionsOfOddRows) {
  for (const auto& ops : kExtremes) {
    for (const size_t at : {0, 40, 699}) {
      std::vector<float> x(700, 1.0f);
      x[at] = NAN;
      CHECK(std::isnan(both(ops, x, 1).first[0]));
      x[at] = HUGE_VALF;
      CHECK(both(ops, x, 1).first == both(ops, x, 1).second);
      x[at] = -HUGE_VALF;
      CHECK(both(ops, x, 1).first == both(ops, x, 1).second);
    }
  }
  // Rows beyond what the second axis of a grid takes.
  std::vector<float> many(70000);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i);
  CHECK(both(kSums[0], many, 70000).first == many);
}
