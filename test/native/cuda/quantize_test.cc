#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

const std::pair<int64_t, int64_t> kShapes[] = {{1, 32}, {5, 64}, {16, 32}, {70, 96}, {33, 256}, {129, 32}};

}  // namespace

TEST(int8HasTheBitsOfTheCpu) {
  Random random(31);
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (auto [rows, columns] : kShapes) {
      columns -= 3;  // int8 takes any width
      const auto count = static_cast<size_t>(rows * columns);
      const WeightOnGpu x(random, count, dtype);
      std::vector<int8_t> numbers(count);
      std::vector<float> scales(static_cast<size_t>(rows)), back(count);
      cpu::quantizeRows(cpuPool(), numbers.data(), scales.data(), x.onHost(), rows, columns);
      cpu::dequantizeRows(cpuPool(), back.data(), numbers.data(), scales.data(), rows, columns);
      const OnGpu<int8_t> onGpu(count);
      const OnGpu<float> onGpuScales(scales.size()), onGpuBack(count);
      cuda::quantizeRows(gpu(), onGpu.data(), onGpuScales.data(), x.weight(), rows, columns);
      cuda::dequantizeRows(gpu(), onGpuBack.data(), onGpu.data(), onGpuScales.data(), rows, columns);
      CHECK(onGpu.read() == numbers);
      CHECK(sameBits(onGpuScales.read(), scales));
      CHECK(sameBits(onGpuBack.read(), back));

      std::vector<uint8_t> tiles(static_cast<size_t>(cpu::int8TileBytes(rows, columns)));
      cpu::int8ToTiles(cpuPool(), tiles.data(), numbers.data(), rows, columns);
      const OnGpu<uint8_t> onGpuTiles(tiles.size());
      const OnGpu<int8_t> again(count);
      cuda::int8ToTiles(gpu(), onGpuTiles.data(), onGpu.data(), rows, columns);
      cuda::int8FromTiles(gpu(), again.data(), onGpuTiles.data(), rows, columns);
      CHECK(onGpuTiles.read() == tiles);
      CHECK(again.read() == numbers);
    }
  }
}

TEST(int4HasTheBitsOfTheCpuInEveryOrder) {
  Random random(32);
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const auto& [rows, columns] : kShapes) {
      const auto count = static_cast<size_t>(rows * columns);
      const WeightOnGpu x(random, count, dtype);
      std::vector<uint8_t> numbers(count / 2);
      std::vector<uint16_t> scales(count / 32);
      std::vector<float> back(count);
      cpu::quantizeGroups(cpuPool(), numbers.data(), scales.data(), x.onHost(), rows, columns);
      cpu::dequantizeGroups(cpuPool(), back.data(), numbers.data(), scales.data(), rows, columns);
      const OnGpu<uint8_t> onGpu(numbers.size());
      const OnGpu<uint16_t> onGpuScales(scales.size());
      const OnGpu<float> onGpuBack(count);
      cuda::quantizeGroups(gpu(), onGpu.data(), onGpuScales.data(), x.weight(), rows, columns);
      cuda::dequantizeGroups(gpu(), onGpuBack.data(), onGpu.data(), onGpuScales.data(), rows, columns);
      CHECK(onGpu.read() == numbers);
      CHECK(onGpuScales.read() == scales);
      CHECK(sameBits(onGpuBack.read(), back));
      for (const auto order :
           {cpu::WeightOrder::kRows, cpu::WeightOrder::kTiles, cpu::WeightOrder::kInputs}) {
        std::vector<uint8_t> other(static_cast<size_t>(cpu::int4Bytes(order, rows, columns)));
        std::vector<uint16_t> otherScales(static_cast<size_t>(cpu::int4Scales(order, rows, columns)));
        cpu::arrangeGroups(cpuPool(), {other.data(), otherScales.data()}, order,
                           {numbers.data(), scales.data()}, cpu::WeightOrder::kRows, rows, columns);
        const OnGpu<uint8_t> there(other.size()), again(numbers.size());
        const OnGpu<uint16_t> thereScales(otherScales.size()), againScales(scales.size());
        cuda::arrangeGroups(gpu(), {there.data(), thereScales.data()}, order,
                            {onGpu.data(), onGpuScales.data()}, cpu::WeightOrder::kRows, rows, columns);
        cuda::arrangeGroups(gpu(), {again.data(), againScales.data()}, cpu::WeightOrder::kRows,
                            {there.data(), thereScales.data()}, order, rows, columns);
        CHECK(there.read() == other);
        CHECK(thereScales.read() == otherScales);
        CHECK(again.read() == numbers);
        CHECK(againScales.read() == scales);
      }
    }
  }
}
