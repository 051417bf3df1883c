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

namespace {

/** Whole numbers from -127 to 127 and a scale for each output, which makes about the size of normal numbers
 * of them. */
struct Int8Weight {
  Int8Weight(Random& random, WeightIndex index, int64_t in, int64_t out)
      : integers(static_cast<size_t>(in * out)), values(integers.size()), scales(static_cast<size_t>(out)) {
    for (int64_t o = 0; o < out; ++o) {
      scales[static_cast<size_t>(o)] = static_cast<float>(1 + random.below(100)) / 4096.0f;
      for (int64_t k = 0; k < in; ++k) {
        const auto i = static_cast<size_t>(index(o, k, out, in));
        integers[i] = static_cast<int8_t>(random.below(255) - 127);
        values[i] = static_cast<float>(integers[i]) * scales[static_cast<size_t>(o)];
      }
    }
  }
  Weight weight() const { return {integers.data(), DType::kInt8, scales.data()}; }

  std::vector<int8_t> integers;
  std::vector<float> values, scales;
};

}  // namespace

void checkLinear(LinearKernel kernel, WeightIndex index, int64_t rows, int64_t in, int64_t out, DType dtype,
                 bool withBias, int percentZeros) {
  Random random(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out + percentZeros));
  const bool scaled = dtype == DType::kInt8;
  const DType biasType = scaled ? DType::kFloat32 : dtype;
  const StoredWeight plain(random, static_cast<size_t>(in * out), biasType);
  const Int8Weight integers(random, index, scaled ? in : 0, scaled ? out : 0);
  const Weight weight = scaled ? integers.weight() : plain.weight();
  const std::vector<float>& values = scaled ? integers.values : plain.values();
  const StoredWeight stored(random, static_cast<size_t>(out), biasType);
  const Weight bias = withBias ? stored.weight() : kNone;
  const std::vector<float> x = sparseNormals(random, rows * in, percentZeros);
  std::vector<double> expected(static_cast<size_t>(rows * out));
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t o = 0; o < out; ++o) {
      double sum = 0;
      for (int64_t k = 0; k < in; ++k) {
        sum += static_cast<double>(x[static_cast<size_t>(r * in + k)]) *
               values[static_cast<size_t>(index(o, k, out, in))];
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
      const std::vector<float> y = runLinear(kernel, pool, x, weight, bias, rows, in, out);
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
        const std::vector<float> alone = runLinear(kernel, pool, row, weight, bias, 1, in, out);
        CHECK_MESSAGE(std::memcmp(alone.data(), y.data() + r * out, alone.size() * 4) == 0,
                      shape + " row alone");
      }
    }
  });
}

}  // namespace check
