// The ops for modules of one's own at odd sizes, in buffers without a byte to spare, so that the sanitizers
// see a step outside. test/tensor/ops compares their values more closely.
#include <algorithm>

#include "check.h"

using namespace check;
namespace cpu = persimmon::cpu;

namespace {

std::vector<float> room(int64_t count) { return std::vector<float>(static_cast<size_t>(count)); }

}  // namespace

TEST(matmulMatchesANaiveLoop) {
  Random random(31);
  for (int64_t rows : {1, 2, 7, 16, 17, 33, 130}) {
    for (int64_t inner : {0, 1, 5, 257, 600}) {
      for (int64_t columns : {1, 15, 17, 49, 1030}) {
        if (rows * inner * columns > 3000000) continue;
        const int64_t batch = rows < 3 ? 2 : 1;
        const std::vector<float> a = random.normals(static_cast<size_t>(batch * rows * inner)),
                                 b = random.normals(static_cast<size_t>(batch * inner * columns));
        std::vector<double> expected(static_cast<size_t>(batch * rows * columns));
        for (int64_t i = 0; i < batch * rows; ++i) {
          for (int64_t j = 0; j < columns; ++j) {
            double sum = 0;
            for (int64_t k = 0; k < inner; ++k) {
              sum += static_cast<double>(a[static_cast<size_t>(i * inner + k)]) *
                     b[static_cast<size_t>((i / rows * inner + k) * columns + j)];
            }
            expected[static_cast<size_t>(i * columns + j)] = sum;
          }
        }
        forEachPool([&](ThreadPool& pool) {
          std::vector<float> out = room(batch * rows * columns);
          cpu::matmul(pool, out.data(), a.data(), b.data(), batch, rows, inner, columns);
          CHECK(distance(out, expected) < 1e-4);
        });
      }
    }
  }
}

TEST(attentionWithoutACacheIsAMeanOfValues) {
  Random random(32);
  for (int64_t tokens : {1, 9, 40}) {
    for (int32_t dim : {1, 17, 80}) {
      const int32_t heads = 3;
      const int64_t count = tokens * heads * dim;
      const std::vector<float> q = random.normals(static_cast<size_t>(count)),
                               k = random.normals(static_cast<size_t>(count)),
                               ones(static_cast<size_t>(count), 1.0f);
      for (bool causal : {false, true}) {
        forEachPool([&](ThreadPool& pool) {
          std::vector<float> z = room(count);
          cpu::attention(pool, z.data(), q.data(), k.data(), ones.data(), tokens, tokens, heads, dim, 0.5f,
                         causal);
          for (float value : z) CHECK(std::fabs(value - 1) < 1e-5);
        });
      }
    }
  }
}

TEST(elementwiseOpsStayInTheirBuffers) {
  Random random(33);
  for (int64_t width : {1, 15, 16, 17, 100, 20000}) {
    const int64_t rows = width > 1000 ? 2 : 5, count = rows * width;
    const std::vector<float> x = random.normals(static_cast<size_t>(count)),
                             row = random.normals(static_cast<size_t>(width)), number = {2.5f};
    forEachPool([&](ThreadPool& pool) {
      std::vector<float> out = room(count);
      for (auto* op : {cpu::relu, cpu::gelu, cpu::geluTanh, cpu::silu, cpu::sigmoid, cpu::tanh}) {
        op(pool, out.data(), x.data(), count);
        for (size_t i = 0; i < x.size(); ++i)
          CHECK(std::isfinite(out[i]) && std::fabs(out[i]) <= std::fabs(x[i]) + 1);
      }
      cpu::scale(pool, out.data(), x.data(), 3.0f, count);
      for (size_t i = 0; i < x.size(); ++i) CHECK(out[i] == x[i] * 3.0f);
      cpu::subBroadcast(pool, out.data(), {row.data(), width}, {x.data(), count}, rows, width);
      for (size_t i = 0; i < x.size(); ++i) CHECK(out[i] == row[i % static_cast<size_t>(width)] - x[i]);
      cpu::mulBroadcast(pool, out.data(), {x.data(), count}, {number.data(), 1}, rows, width);
      for (size_t i = 0; i < x.size(); ++i) CHECK(out[i] == x[i] * 2.5f);
      cpu::rmsNorm(pool, out.data(), x.data(), {row.data(), DType::kFloat32}, rows, width, 1e-5f);
      for (float value : out) CHECK(std::isfinite(value));
    });
  }
}

TEST(selectionAndShapeOpsStayInTheirBuffers) {
  Random random(34);
  for (int64_t width : {1, 7, 33, 300}) {
    const int64_t rows = 35, k = (width + 2) / 3;
    const std::vector<float> x = random.normals(static_cast<size_t>(rows * width));
    forEachPool([&](ThreadPool& pool) {
      std::vector<float> values = room(rows * k), kept = room(rows * width), once = room(rows * width),
                         twice = room(rows * width), sums = room(rows), best = room(rows);
      std::vector<int32_t> columns(static_cast<size_t>(rows * k));
      cpu::topK(pool, values.data(), columns.data(), x.data(), rows, width, k);
      cpu::keepTopK(pool, kept.data(), x.data(), rows, width, k);
      cpu::maxRows(pool, best.data(), x.data(), rows, width);
      cpu::sumRows(pool, sums.data(), kept.data(), rows, width);
      for (int64_t row = 0; row < rows; ++row) {
        double sum = 0;
        for (int64_t i = 0; i < k; ++i) sum += values[static_cast<size_t>(row * k + i)];
        CHECK(std::fabs(sum - sums[static_cast<size_t>(row)]) < 1e-3);
        CHECK(values[static_cast<size_t>(row * k)] == best[static_cast<size_t>(row)]);
      }
      std::vector<float> gathered = room(rows * k);
      cpu::gather(pool, gathered.data(), x.data(), columns.data(), rows, width, k);
      CHECK(std::equal(values.begin(), values.begin() + k, gathered.begin()));
      cpu::transpose(pool, once.data(), x.data(), 1, rows, width);
      cpu::transpose(pool, twice.data(), once.data(), 1, width, rows);
      CHECK(sameBits(twice, x));
      std::vector<float> column = room(rows);
      cpu::copyBlocks(pool, reinterpret_cast<uint8_t*>(column.data()), 4,
                      reinterpret_cast<const uint8_t*>(x.data() + width - 1), 4 * width, 4, rows);
      for (int64_t row = 0; row < rows; ++row) {
        CHECK(column[static_cast<size_t>(row)] == x[static_cast<size_t>((row + 1) * width - 1)]);
      }
    });
  }
}
