#include <algorithm>
#include <numeric>

#include "check.h"

using namespace check;
namespace cpu = persimmon::cpu;

namespace {

/** The order of the documentation, with a full sort and doubles. Returns the kept ids, and the drawn one. */
int32_t naive(const std::vector<float>& logits, float temperature, int32_t topK, float topP, double uniform) {
  const int64_t width = static_cast<int64_t>(logits.size());
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) { return logits[a] > logits[b]; });
  const float max = logits[order[0]];
  std::vector<double> weight(logits.size());
  for (size_t i = 0; i < weight.size(); ++i)
    weight[i] = std::exp((logits[i] - max) / static_cast<double>(temperature));
  if (topK > 0 && topK < width) {
    const float threshold = logits[order[topK - 1]];
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = logits[i] < threshold ? 0 : weight[i];
  }
  double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  if (topP > 0 && topP < 1) {
    double sum = 0;
    size_t kept = 0;
    while (kept < order.size() && sum <= topP * total) sum += weight[order[kept++]];
    for (; kept < order.size(); ++kept) weight[order[kept]] = 0;
    total = std::accumulate(weight.begin(), weight.end(), 0.0);
  }
  double sum = 0;
  for (size_t i = 0; i < weight.size(); ++i) {
    sum += weight[i];
    if (weight[i] > 0 && sum > uniform * total) return static_cast<int32_t>(i);
  }
  return -1;
}

int32_t one(ThreadPool& pool, const std::vector<float>& x, float temperature, int32_t topK, float topP,
            double uniform) {
  int32_t out = -1;
  cpu::sample(pool, &out, x.data(), 1, static_cast<int64_t>(x.size()), temperature, topK, topP, &uniform);
  return out;
}

}  // namespace

TEST(sampleFollowsTheDocumentedOrder) {
  Random random(31);
  int differences = 0, draws = 0;
  ThreadPool pool(2);
  for (int trial = 0; trial < 60; ++trial) {
    const int64_t width = trial % 3 == 0 ? 20011 : 50 + random.below(300);
    std::vector<float> x = random.normals(static_cast<size_t>(width), 2);
    if (trial % 4 == 0) {
      for (float& value : x) value = std::round(value * 4) / 4;  // ties, also at the borders
    }
    const float temperature = trial % 5 == 0 ? 1.0f : 0.3f + static_cast<float>(random.uniform()) * 2;
    const int32_t topK = trial % 2 ? static_cast<int32_t>(1 + random.below(40)) : 0;
    const float topP = trial % 3 ? static_cast<float>(random.uniform()) : 1.0f;
    forEachInstructionSet([&] {
      for (int i = 0; i < 10; ++i) {
        const double uniform = random.uniform();
        ++draws;
        differences +=
            one(pool, x, temperature, topK, topP, uniform) != naive(x, temperature, topK, topP, uniform);
      }
    });
  }
  // float32 weights move a border by 1e-7 of the whole: a draw falls between the two once in 10^4 or so.
  CHECK_MESSAGE(differences <= draws / 1000, std::to_string(differences) + " of " + std::to_string(draws));
}

TEST(sampleDrawsWithTheRightFrequencies) {
  ThreadPool pool(2);
  const std::vector<float> x = {0, std::log(2.0f), std::log(5.0f), -HUGE_VALF, std::log(2.0f)};
  int counts[5] = {};
  for (int i = 0; i < 10000; ++i) ++counts[one(pool, x, 1, 0, 0, (i + 0.5) / 10000)];
  CHECK(counts[0] == 1000 && counts[1] == 2000 && counts[2] == 5000 && counts[3] == 0 && counts[4] == 2000);
}

TEST(sampleKeepsTiesAtTheKthLogit) {
  ThreadPool pool(1);
  const std::vector<float> x = {1, 3, 2, 2, 0};
  bool seen[5] = {};
  for (int i = 0; i < 1000; ++i) seen[one(pool, x, 1, 2, 0, i / 1000.0)] = true;
  CHECK(!seen[0] && seen[1] && seen[2] && seen[3] && !seen[4]);
}

TEST(sampleTopPKeepsThroughTheFirstThatExceeds) {
  ThreadPool pool(1);
  const std::vector<float> x = {std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  const auto kept = [&](float topP) {
    int mask = 0;
    for (int i = 0; i < 1000; ++i) mask |= 1 << one(pool, x, 1, 0, topP, i / 1000.0);
    return mask;
  };
  CHECK(kept(1e-6f) == 2);
  CHECK(kept(0.45f) == 2);
  CHECK(kept(0.55f) == 6);
  CHECK(kept(0.75f) == 6);
  CHECK(kept(0.85f) == 7);
}

TEST(sampleOfOddLogits) {
  forEachPool([&](ThreadPool& pool) {
    for (double uniform : {0.0, 0.5, 1 - 0x1p-53}) {
      for (auto [topK, topP] :
           {std::pair<int32_t, float>{0, 0.0f}, {2, 0.0f}, {0, 0.9f}, {2, 0.9f}, {1, 0.5f}}) {
        CHECK(one(pool, {NAN, NAN, NAN}, 1, topK, topP, uniform) == 0);
        const int32_t finite = one(pool, {NAN, -HUGE_VALF, 2, NAN}, 1, topK, topP, uniform);
        CHECK(finite == 2);
        const int32_t infinite = one(pool, {5, HUGE_VALF, 1, 0}, 1, topK, topP, uniform);
        CHECK(infinite == 1);
        const int32_t nothing = one(pool, {-HUGE_VALF, NAN, -HUGE_VALF}, 1, topK, topP, uniform);
        CHECK(nothing == 0 || nothing == 2);
        CHECK(one(pool, {1, 4, 2}, 1e-38f, topK, topP, uniform) == 1);
        CHECK(one(pool, {1, 4, 2}, 0, topK, topP, uniform) == 1);
        CHECK(one(pool, {7}, 1, topK, topP, uniform) == 0);
      }
    }
  });
}

TEST(sampleRowsAreIndependentAndThreadsDoNotMatter) {
  Random random(32);
  const int64_t rows = 9, width = 9001;
  const std::vector<float> x = random.normals(static_cast<size_t>(rows * width), 3);
  std::vector<double> uniform(static_cast<size_t>(rows));
  for (double& value : uniform) value = random.uniform();
  for (auto [topK, topP] : {std::pair<int32_t, float>{0, 0.0f}, {40, 0.0f}, {0, 0.9f}, {40, 0.8f}}) {
    std::vector<int32_t> first;
    for (int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      std::vector<int32_t> out(static_cast<size_t>(rows));
      cpu::sample(pool, out.data(), x.data(), rows, width, 0.8f, topK, topP, uniform.data());
      if (threads == 1) first = out;
      CHECK(out == first);
      const std::vector<float> row(x.begin() + 4 * width, x.begin() + 5 * width);
      CHECK(one(pool, row, 0.8f, topK, topP, uniform[4]) == out[4]);
    }
  }
}
