#include "linear_case.h"

namespace check {

std::vector<float> runLinear(LinearKernel kernel, ThreadPool& pool, const std::vector<float>& x,
                             Weight weight, Weight bias, int64_t rows, int64_t in, int64_t out) {
  std::vector<float> result(static_cast<size_t>(rows * out), -77.0f);
  kernel(pool, result.data(), x.data(), weight, bias, rows, in, out);
  return result;
}

std::vector<float> sparseNormals(Random& random, int64_t count, int percent) {
  std::vector<float> x = random.normals(static_cast<size_t>(count));
  for (float& value : x) {
    if (random.below(100) < percent) value = random.below(2) ? 0.0f : -0.0f;
  }
  return x;
}

void checkLinear(LinearKernel kernel, WeightIndex index, int64_t rows, int64_t in, int64_t out, DType dtype,
                 bool withBias, int percentZeros) {
  Random random(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out + percentZeros));
  const StoredWeight weight(random, static_cast<size_t>(in * out), dtype);
  const StoredWeight stored(random, static_cast<size_t>(out), dtype);
  const Weight bias = withBias ? stored.weight() : kNone;
  const std::vector<float> x = sparseNormals(random, rows * in, percentZeros);
  std::vector<double> expected(static_cast<size_t>(rows * out));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = 0;
      for (int64_t k = 0; k < in; ++k) {
        sum += static_cast<double>(x[static_cast<size_t>(r * in + k)]) *
               weight.values()[static_cast<size_t>(index(o, k, out, in))];
      }
      expected[static_cast<size_t>(r * out + o)] =
          sum + (withBias ? stored.values()[static_cast<size_t>(o)] : 0.0f);
    }
  }
  const std::string shape = std::to_string(rows) + "x" + std::to_string(in) + "x" + std::to_string(out);
  forEachInstructionSet([&] {
    std::vector<float> first;
    for (int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      const std::vector<float> y = runLinear(kernel, pool, x, weight.weight(), bias, rows, in, out);
      if (threads > 1) {
        CHECK_MESSAGE(sameBits(y, first), shape + " with threads " + std::to_string(threads));
        continue;
      }
      first = y;
      CHECK_MESSAGE(distance(y, expected) < 3e-6 * std::sqrt(static_cast<double>(in)) + 1e-6,
                    shape + " is off by " + std::to_string(distance(y, expected)));
      // Each row alone gives the bits that it has among the others, whose zeros are elsewhere.
      for (int64_t r = 0; r < rows; r += rows > 8 ? 7 : 1) {
        const std::vector<float> row(x.begin() + r * in, x.begin() + (r + 1) * in);
        const std::vector<float> alone = runLinear(kernel, pool, row, weight.weight(), bias, 1, in, out);
        CHECK_MESSAGE(std::memcmp(alone.data(), y.data() + r * out, alone.size() * 4) == 0,
                      shape + " row alone");
      }
    }
  });
}

}  // namespace check
