#include "linear_case.h"

#include <bit>

namespace check {

using persimmon::ReadOrder;
using persimmon::cpu::arrangeGroups;
using persimmon::cpu::int4Bytes;
using persimmon::cpu::int4Scales;
using persimmon::cpu::int8TileBytes;
using persimmon::cpu::int8ToTiles;
using persimmon::cpu::WeightOrder;

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

std::vector<float> inBFloat16(std::vector<float> x) {
  std::vector<uint16_t> halves(x.size());
  ThreadPool pool(1);
  persimmon::cpu::convertToBFloat16(pool, halves.data(), x.data(), static_cast<int64_t>(x.size()));
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::bit_cast<float>(static_cast<uint32_t>(halves[i]) << 16);
  return x;
}

namespace {

/** Whole numbers from -127 to 127 and a scale for each output, which makes about the size of normal numbers
 * of them. */
struct Int8Weight {
  Int8Weight(Random& random, WeightIndex index, bool inTiles, int64_t in, int64_t out)
      : integers(static_cast<size_t>(in * out)), values(integers.size()), scales(static_cast<size_t>(out)) {
    for (int64_t o = 0; o < out; ++o) {
      scales[static_cast<size_t>(o)] = static_cast<float>(1 + random.below(100)) / 4096.0f;
      for (int64_t k = 0; k < in; ++k) {
        const auto i = static_cast<size_t>(index(o, k, out, in));
        integers[i] = static_cast<int8_t>(random.below(255) - 127);
        values[i] = static_cast<float>(integers[i]) * scales[static_cast<size_t>(o)];
      }
    }
    if (!inTiles) return;
    tiles.resize(static_cast<size_t>(int8TileBytes(out, in)));
    ThreadPool pool(1);
    int8ToTiles(pool, tiles.data(), integers.data(), out, in);
  }
  Weight weight() const {
    const void* data = tiles.empty() ? static_cast<const void*>(integers.data()) : tiles.data();
    return {data, DType::kInt8, scales.data()};
  }

  std::vector<int8_t> integers;
  std::vector<uint8_t> tiles;
  std::vector<float> values, scales;
};

/** Numbers from -8 to 7 and a scale for each group of 32 inputs, in the order that the kernel wants. */
struct Int4Weight {
  Int4Weight(Random& random, WeightIndex index, WeightOrder order, int64_t in, int64_t out)
      : values(static_cast<size_t>(in * out)),
        elements(static_cast<size_t>(int4Bytes(order, out, in))),
        scales(static_cast<size_t>(int4Scales(order, out, in))) {
    std::vector<uint8_t> rows(values.size() / 2);
    std::vector<uint16_t> rowScales(values.size() / 32);
    for (int64_t o = 0; o < out; ++o) {
      for (int64_t k = 0; k < in; ++k) {
        const auto group = static_cast<size_t>((o * in + k) / 32);
        if (k % 32 == 0)
          rowScales[group] = static_cast<uint16_t>(0x3c00 + random.below(256));  // 0.008 to 0.031
        const int64_t number = random.below(16);
        rows[static_cast<size_t>((o * in + k) / 2)] |= static_cast<uint8_t>(number << (k % 2 ? 4 : 0));
        values[static_cast<size_t>(index(o, k, out, in))] =
            static_cast<float>(number - 8) *
            std::bit_cast<float>(static_cast<uint32_t>(rowScales[group]) << 16);
      }
    }
    ThreadPool pool(1);
    arrangeGroups(pool, {elements.data(), scales.data()}, order, {rows.data(), rowScales.data()},
                  WeightOrder::kRows, out, in);
  }
  Weight weight() const { return {elements.data(), DType::kInt4, scales.data()}; }

  std::vector<float> values;
  std::vector<uint8_t> elements;
  std::vector<uint16_t> scales;
};

/** Whole numbers whose largest is 127 in each group of 32: those that int8 and int4 do not have to round.
 * About `percent` of a hundred are zero, among them whole groups. */
std::vector<float> wholeNumbers(Random& random, int64_t rows, int64_t columns, int percent) {
  const auto count = static_cast<size_t>(rows * columns), width = static_cast<size_t>(columns);
  std::vector<float> x(count);
  bool nothing = false;
  for (size_t i = 0; i < count; ++i) {
    const bool first = i % width % 32 == 0;
    if (first) nothing = random.below(200) < percent;
    const bool isZero = nothing || percent == 100 || (!first && random.below(100) < percent);
    x[i] = static_cast<float>(first ? (random.below(2) ? 127 : -127) : random.below(255) - 127);
    if (isZero) x[i] = random.below(2) ? 0.0f : -0.0f;
  }
  return x;
}

}  // namespace

void checkLinear(LinearKernel kernel, WeightIndex index, int64_t rows, int64_t in, int64_t out, DType dtype,
                 bool withBias, int percentZeros, persimmon::MatmulPrecision precision) {
  Random random(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out + percentZeros));
  const bool int8 = dtype == DType::kInt8, int4 = dtype == DType::kInt4, scaled = int8 || int4;
  const bool inTiles = kernel == persimmon::cpu::linear;
  const DType biasType = scaled ? DType::kFloat32 : dtype;
  const StoredWeight plain(random, static_cast<size_t>(in * out), biasType);
  const Int8Weight integers(random, index, inTiles, int8 ? in : 0, int8 ? out : 0);
  const Int4Weight groups(random, index, inTiles ? WeightOrder::kTiles : WeightOrder::kInputs, int4 ? in : 0,
                          int4 ? out : 0);
  const Weight weight = int4 ? groups.weight() : int8 ? integers.weight() : plain.weight();
  const std::vector<float>& values = int4 ? groups.values : int8 ? integers.values : plain.values();
  const StoredWeight stored(random, static_cast<size_t>(out), biasType);
  const Weight bias = withBias ? stored.weight() : kNone;
  std::vector<float> x =
      scaled ? wholeNumbers(random, rows, in, percentZeros) : sparseNormals(random, rows * in, percentZeros);
  if (precision == persimmon::MatmulPrecision::kMedium) x = inBFloat16(x);
  const double size = scaled ? 127 : 1;
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
      pool.setMatmulPrecision(precision);
      const std::vector<float> y = runLinear(kernel, pool, x, weight, bias, rows, in, out);
      if (threads > 1) {
        CHECK_MESSAGE(sameBits(y, first), shape + " with threads " + std::to_string(threads));
        continue;
      }
      first = y;
      for (ReadOrder order : {ReadOrder::kSequential, ReadOrder::kSideBySide}) {
        if (rows > 2) break;
        ThreadPool ordered(2);
        ordered.setMatmulPrecision(precision);
        for (int bits : {4, 8, 16, 32}) ordered.readOrder(bits).fix(order);
        CHECK_MESSAGE(sameBits(runLinear(kernel, ordered, x, weight, bias, rows, in, out), first),
                      shape + " read " + (order == ReadOrder::kSequential ? "in order" : "side by side"));
      }
      CHECK_MESSAGE(distance(y, expected) < size * (3e-6 * std::sqrt(static_cast<double>(in)) + 1e-6),
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
