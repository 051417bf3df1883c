#include "matrix_case.h"

#include <bit>

namespace check {

namespace cpu = persimmon::cpu;

namespace {

template <class T>
std::vector<uint8_t> bytesOf(const std::vector<T>& values) {
  const auto* begin = reinterpret_cast<const uint8_t*>(values.data());
  return {begin, begin + values.size() * sizeof(T)};
}

}  // namespace

MatrixOnGpu::MatrixOnGpu(Random& random, DType dtype, WeightOrder order, int64_t out, int64_t in,
                         bool misaligned)
    : dtype_(dtype), values_(static_cast<size_t>(out * in)) {
  if (dtype == DType::kInt8) {
    int8(random, order, out, in);
  } else if (dtype == DType::kInt4) {
    int4(random, order, out, in);
  } else if (dtype == DType::kBFloat16) {
    std::vector<uint16_t> halves(values_.size());
    for (size_t i = 0; i < halves.size(); ++i) {
      halves[i] = floatToBFloat16(random.normal());
      values_[i] = bfloat16ToFloat(halves[i]);
    }
    stored_ = bytesOf(halves);
  } else {
    values_ = random.normals(values_.size());
    stored_ = bytesOf(values_);
  }
  shift_ = !misaligned ? 0 : dtype == DType::kFloat32 ? 4 : dtype == DType::kBFloat16 ? 2 : 1;
  std::vector<uint8_t> shifted(shift_, 0xFF);
  shifted.insert(shifted.end(), stored_.begin(), stored_.end());
  bytes_ = std::make_unique<OnGpu<uint8_t>>(shifted);
  if (!storedScales_.empty()) scales_ = std::make_unique<OnGpu<uint8_t>>(storedScales_);
}

void MatrixOnGpu::int8(Random& random, WeightOrder order, int64_t out, int64_t in) {
  std::vector<int8_t> numbers(values_.size());
  std::vector<float> scales(static_cast<size_t>(out));
  for (float& scale : scales) scale = static_cast<float>(1 + random.below(100)) / 4096.0f;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const auto o = order == WeightOrder::kInputs ? i % static_cast<size_t>(out) : i / static_cast<size_t>(in);
    numbers[i] = static_cast<int8_t>(random.below(255) - 127);
    values_[i] = static_cast<float>(numbers[i]) * scales[o];
  }
  storedScales_ = bytesOf(scales);
  if (order == WeightOrder::kInputs) {
    stored_ = bytesOf(numbers);
  } else {
    stored_.resize(static_cast<size_t>(cpu::int8TileBytes(out, in)));
    cpu::int8ToTiles(cpuPool(), stored_.data(), numbers.data(), out, in);
  }
}

void MatrixOnGpu::int4(Random& random, WeightOrder order, int64_t out, int64_t in) {
  std::vector<uint8_t> rows(values_.size() / 2);
  std::vector<uint16_t> rowScales(values_.size() / 32);
  for (uint8_t& byte : rows) byte = static_cast<uint8_t>(random.below(256));
  for (uint16_t& scale : rowScales)
    scale = static_cast<uint16_t>(0x3c00 + random.below(256) + (random.below(2) ? 0x8000 : 0));
  for (int64_t o = 0; o < out; ++o) {
    for (int64_t k = 0; k < in; ++k) {
      const auto i = static_cast<size_t>(o * in + k);
      const float scale = bfloat16ToFloat(rowScales[i / 32]);
      values_[static_cast<size_t>(order == WeightOrder::kInputs ? k * out + o : o * in + k)] =
          static_cast<float>((rows[i / 2] >> (i % 2 ? 4 : 0) & 15) - 8) * scale;
    }
  }
  stored_.resize(static_cast<size_t>(cpu::int4Bytes(order, out, in)));
  std::vector<uint16_t> scales(static_cast<size_t>(cpu::int4Scales(order, out, in)));
  cpu::arrangeGroups(cpuPool(), {stored_.data(), scales.data()}, order, {rows.data(), rowScales.data()},
                     WeightOrder::kRows, out, in);
  storedScales_ = bytesOf(scales);
}

ShiftedOnGpu::ShiftedOnGpu(const std::vector<float>& values, size_t shift)
    : shift_(shift), memory_([&] {
        std::vector<float> all(shift, NAN);
        all.insert(all.end(), values.begin(), values.end());
        return all;
      }()) {}

std::pair<int64_t, int64_t> weightTrafficOfGpu() {
  const OnGpu<int32_t> counted(4);
  persimmon::cuda::weightTraffic(gpu(), counted.data());
  const std::vector<int32_t> words = counted.read();
  int64_t numbers[2];
  std::memcpy(numbers, words.data(), sizeof numbers);
  return {numbers[0], numbers[1]};
}

void checkProduct(CudaLinear* onGpu, CpuLinear* onCpu, WeightOrder order, const ProductShape& shape) {
  const auto [rows, in, out, dtype, withBias, percentZeros, misaligned] = shape;
  Random random(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out + percentZeros));
  const MatrixOnGpu matrix(random, dtype, order, out, in, misaligned);
  const BiasOnGpu bias(random, static_cast<size_t>(out), rows % 2 ? DType::kBFloat16 : DType::kFloat32);
  std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
  for (float& value : x) {
    if (random.below(100) < percentZeros) value = random.below(2) ? 0.0f : -0.0f;
  }
  std::vector<float> expected(static_cast<size_t>(rows * out));
  onCpu(cpuPool(), expected.data(), x.data(), matrix.onHost(), withBias ? bias.onHost() : kNone, rows, in,
        out);
  const ShiftedOnGpu input(x, misaligned ? 1 : 0);
  const OnGpu<float> result(expected.size()), again(expected.size());
  for (const OnGpu<float>* target : {&result, &again})
    onGpu(gpu(), target->data(), input.data(), matrix.weight(), withBias ? bias.weight() : kNone, rows, in,
          out);
  const std::vector<float> found = result.read();
  const double off = distance(found, expected);
  const std::string text = std::to_string(rows) + "x" + std::to_string(in) + "x" + std::to_string(out) +
                           " type " + std::to_string(static_cast<int>(dtype)) +
                           (misaligned ? " misaligned" : "");
  CHECK_MESSAGE(off < 2e-6 * std::sqrt(static_cast<double>(in)) + 1e-6,
                text + " is off by " + std::to_string(off));
  CHECK_MESSAGE(sameBits(again.read(), found), text + " gives other bits the second time");
}

}  // namespace check
