#include "matrix_case.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

TEST(embeddingGivesTheBitsOfTheCpu) {
  Random random(1);
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8, DType::kInt4}) {
    for (const int64_t hidden : {1, 37, 64, 256, 4096}) {
      if (dtype == DType::kInt4 && hidden % 32 != 0) continue;
      const int64_t rows = hidden > 256 ? 18 : 53;
      for (const int64_t tokens : {0, 1, 7}) {
        const MatrixOnGpu table(random, dtype, WeightOrder::kTiles, rows, hidden, tokens == 7);
        std::vector<int32_t> ids;
        for (int64_t i = 0; i < tokens; ++i)
          ids.push_back(i == 0 ? static_cast<int32_t>(rows - 1) : static_cast<int32_t>(random.below(rows)));
        std::vector<float> expected(static_cast<size_t>(tokens * hidden));
        cpu::embedding(cpuPool(), expected.data(), table.storedOnHost(), ids.data(), tokens, hidden);
        const OnGpu<int32_t> onGpu(ids);
        const OnGpu<float> out(expected.size());
        cuda::embedding(gpu(), out.data(), table.weight(), onGpu.data(), tokens, hidden, rows);
        CHECK(sameBits(out.read(), expected));
      }
    }
  }
}

TEST(embeddingGivesNaNForIdsOutsideOfTheTable) {
  Random random(2);
  const int64_t rows = 16, hidden = 40;
  const MatrixOnGpu table(random, DType::kBFloat16, WeightOrder::kRows, rows, hidden);
  const OnGpu<int32_t> ids(std::vector<int32_t>{-1, 15, 16, INT32_MIN, INT32_MAX});
  const OnGpu<float> out(5 * hidden);
  cuda::embedding(gpu(), out.data(), table.weight(), ids.data(), 5, hidden, rows);
  const std::vector<float> found = out.read();
  for (size_t i = 0; i < found.size(); ++i) {
    const size_t token = i / hidden, column = i % hidden;
    CHECK(token == 1 ? found[i] == table.values()[15 * hidden + column] : std::isnan(found[i]));
  }
}
