#include <algorithm>

#include "check.h"

using namespace check;
namespace cpu = persimmon::cpu;

namespace {

std::vector<double> naiveLogSoftmax(const std::vector<float>& x, int64_t rows, int64_t width) {
  std::vector<double> out(x.size());
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = x.data() + r * width;
    const double max = *std::max_element(row, row + width);
    double sum = 0;
    for (int64_t i = 0; i < width; ++i) sum += std::exp(row[i] - max);
    for (int64_t i = 0; i < width; ++i)
      out[static_cast<size_t>(r * width + i)] = row[i] - max - std::log(sum);
  }
  return out;
}

}  // namespace

TEST(softmaxAndLogSoftmaxMatchANaiveLoop) {
  Random random(21);
  for (auto [r, w] :
       {std::pair<int64_t, int64_t>{1, 1}, {3, 3}, {5, 17}, {70, 100}, {2, 4096}, {2, 4097}, {3, 50001}}) {
    const int64_t rows = r, width = w;  // Clang 14 captures no structured bindings
    std::vector<float> x = random.normals(static_cast<size_t>(rows * width), 4);
    for (float& value : x) value += 300;
    const std::vector<double> logs = naiveLogSoftmax(x, rows, width);
    std::vector<int32_t> ids(static_cast<size_t>(rows));
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(width));
    forEachInstructionSet([&] {
      std::vector<float> first;
      for (int threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        std::vector<float> p(x.size()), log(x.size()), gathered(ids.size());
        cpu::softmax(pool, p.data(), x.data(), rows, width);
        cpu::logSoftmax(pool, log.data(), x.data(), rows, width);
        cpu::gatherLogProbability(pool, gathered.data(), x.data(), ids.data(), rows, width);
        double worst = 0;
        for (size_t i = 0; i < p.size(); ++i) {
          worst = std::max(worst, std::fabs(p[i] - std::exp(logs[i])) / std::exp(logs[i]));
        }
        CHECK_MESSAGE(worst < 1e-6, std::to_string(width) + ": " + std::to_string(worst));
        CHECK_MESSAGE(distance(log, logs) < 1e-6, std::to_string(distance(log, logs)));
        for (size_t r = 0; r < ids.size(); ++r) {
          CHECK(gathered[r] == log[r * static_cast<size_t>(width) + static_cast<size_t>(ids[r])]);
        }
        if (threads == 1) first = p;
        CHECK(sameBits(p, first));
        std::vector<float> inPlace = x;
        cpu::softmax(pool, inPlace.data(), inPlace.data(), rows, width);
        CHECK(sameBits(inPlace, p));
      }
    });
  }
}

TEST(softmaxIsAccurateOverTheWholeRange) {
  // Two logits, 0 and -d: p of the second is exp(-d) / (1 + exp(-d)), where the error of exp is not averaged
  // away.
  forEachInstructionSet([&] {
    ThreadPool pool(1);
    double worst = 0;
    for (double d = 0; d < 87.3; d += 0.0137) {
      const float x[2] = {0, static_cast<float>(-d)};
      float p[2];
      cpu::softmax(pool, p, x, 1, 2);
      const double e = std::exp(static_cast<double>(x[1])), expected = e / (1 + e);
      worst = std::max(worst, std::fabs(p[1] - expected) / expected);
    }
    CHECK_MESSAGE(worst < 3 * 0x1p-23, "relative error " + std::to_string(worst * 0x1p23) + " ulp");
    const float far[2] = {0, -90};
    float p[2];
    cpu::softmax(pool, p, far, 1, 2);
    CHECK(p[0] == 1 && p[1] == 0);
  });
}

TEST(softmaxOfExtremes) {
  forEachPool([&](ThreadPool& pool) {
    const float huge[3] = {3e38f, 3e38f, -3e38f};
    float p[3];
    cpu::softmax(pool, p, huge, 1, 3);
    CHECK(p[0] == 0.5f && p[1] == 0.5f && p[2] == 0);
    const float masked[3] = {-HUGE_VALF, 1, -HUGE_VALF};
    cpu::softmax(pool, p, masked, 1, 3);
    CHECK(p[0] == 0 && p[1] == 1 && p[2] == 0);
    const float nan[3] = {0, NAN, 1};
    cpu::softmax(pool, p, nan, 1, 3);
    CHECK(std::isnan(p[0]) && std::isnan(p[1]) && std::isnan(p[2]));
  });
}

TEST(argmaxTakesTheLowestOfTies) {
  Random random(22);
  forEachPool([&](ThreadPool& pool) {
    for (int64_t width : {1, 15, 16, 17, 5000, 20000}) {
      std::vector<float> x(static_cast<size_t>(3 * width));
      for (float& value : x) value = static_cast<float>(random.below(20));  // many ties
      int32_t out[3];
      cpu::argmax(pool, out, x.data(), 3, width);
      for (int64_t r = 0; r < 3; ++r) {
        const float* row = x.data() + r * width;
        CHECK(out[r] == std::max_element(row, row + width) - row);
      }
    }
    const float odd[6] = {NAN, -HUGE_VALF, -3, NAN, NAN, NAN};
    int32_t out[2];
    cpu::argmax(pool, out, odd, 2, 3);
    CHECK(out[0] == 2 && out[1] == 0);
    const float lowest[2] = {NAN, -HUGE_VALF};
    cpu::argmax(pool, out, lowest, 1, 2);
    CHECK(out[0] == 1);
  });
}
