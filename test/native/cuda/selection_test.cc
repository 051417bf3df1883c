#include <algorithm>

#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

struct Case {
  int64_t rows, width, k;
};
const Case kCases[] = {{0, 5, 2},   {2, 1, 1},     {3, 7, 0},      {3, 7, 7},
                       {4, 100, 3}, {2, 257, 256}, {2, 2000, 300}, {1, 5000, 17}};

// Ties, zeros of both signs, infinities and NaN among them.
std::vector<float> numbers(Random& random, const Case& c) {
  std::vector<float> x = random.normals(static_cast<size_t>(c.rows * c.width), 2);
  for (float& value : x) value = std::round(value * 8) / 8;
  if (x.size() >= 100) {
    x[5] = x[50] = NAN;
    x[7] = HUGE_VALF;
    x[9] = -HUGE_VALF;
  }
  return x;
}

bool sameBytes(const std::vector<float>& a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) return false;
  }
  return a.size() == b.size();
}

}  // namespace

TEST(topKIsThatOfTheCpu) {
  Random random(55);
  for (const Case& c : kCases) {
    const std::vector<float> x = numbers(random, c);
    std::vector<float> values(static_cast<size_t>(c.rows * c.k)), kept(x.size());
    std::vector<int32_t> columns(values.size());
    cpu::topK(cpuPool(), values.data(), columns.data(), x.data(), c.rows, c.width, c.k);
    cpu::keepTopK(cpuPool(), kept.data(), x.data(), c.rows, c.width, c.k);
    const OnGpu<float> input(x), onValues(values.size()), onKept(x.size());
    const OnGpu<int32_t> onColumns(values.size());
    cuda::topK(gpu(), onValues.data(), onColumns.data(), input.data(), c.rows, c.width, c.k);
    CHECK_MESSAGE(onColumns.read() == columns, std::to_string(c.width));
    CHECK(sameBytes(onValues.read(), values));
    cuda::keepTopK(gpu(), onKept.data(), input.data(), c.rows, c.width, c.k);
    CHECK(sameBytes(onKept.read(), kept));
    cuda::keepTopK(gpu(), input.data(), input.data(), c.rows, c.width, c.k);
    CHECK(sameBytes(input.read(), kept));
  }
}

TEST(gatherIsThatOfTheCpu) {
  Random random(56);
  const int64_t rows = 5, width = 70;
  const std::vector<float> x = random.normals(static_cast<size_t>(rows * width));
  const std::vector<int32_t> columns = {3, 0, 69, 70, -1, 3, 12};
  std::vector<float> expected(static_cast<size_t>(rows) * columns.size());
  cpu::gather(cpuPool(), expected.data(), x.data(), columns.data(), rows, width,
              static_cast<int64_t>(columns.size()));
  const OnGpu<float> input(x), out(expected.size());
  const OnGpu<int32_t> onColumns(columns);
  cuda::gather(gpu(), out.data(), input.data(), onColumns.data(), rows, width,
               static_cast<int64_t>(columns.size()));
  CHECK(sameBytes(out.read(), expected));
  CHECK(std::isnan(out.read()[3]) && std::isnan(out.read()[4]));
}
