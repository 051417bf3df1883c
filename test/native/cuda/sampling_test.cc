#include <algorithm>

#include "cpu/row_advance.h"
#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

struct Filter {
  float temperature;
  int32_t topK;
  float topP;
};

std::vector<int32_t> drawn(const std::vector<float>& x, int64_t rows, const Filter& filter,
                           const std::vector<double>& uniform) {
  const OnGpu<float> logits(x);
  const OnGpu<double> numbers(uniform);
  const OnGpu<int32_t> out(static_cast<size_t>(rows));
  cuda::sample(gpu(), out.data(), logits.data(), rows, static_cast<int64_t>(x.size()) / rows,
               filter.temperature, filter.topK, filter.topP, numbers.data());
  return out.read();
}

std::vector<int32_t> drawnByCpu(const std::vector<float>& x, int64_t rows, const Filter& filter,
                                const std::vector<double>& uniform) {
  std::vector<int32_t> out(static_cast<size_t>(rows));
  cpu::sample(cpuPool(), out.data(), x.data(), rows, static_cast<int64_t>(x.size()) / rows,
              filter.temperature, filter.topK, filter.topP, uniform.data());
  return out;
}

int32_t one(const std::vector<float>& x, const Filter& filter, double uniform) {
  return drawn(x, 1, filter, {uniform})[0];
}

}  // namespace

TEST(argmaxIsThatOfTheCpu) {
  Random random(50);
  for (const auto& [rows, width] :
       std::vector<std::pair<int64_t, int64_t>>{{0, 4}, {3, 1}, {4, 33}, {2, 8192}, {2, 8193}, {1, 20001}}) {
    std::vector<float> x = random.normals(static_cast<size_t>(rows * width));
    for (float& value : x) value = std::round(value * 4) / 4;  // ties, and zeros of both signs
    std::vector<int32_t> expected(static_cast<size_t>(rows));
    cpu::argmax(cpuPool(), expected.data(), x.data(), rows, width);
    const OnGpu<float> input(x);
    const OnGpu<int32_t> out(expected.size());
    cuda::argmax(gpu(), out.data(), input.data(), rows, width);
    CHECK(out.read() == expected);
  }
}

TEST(argmaxOfOddRows) {
  const auto ofRow = [](const std::vector<float>& x) {
    const OnGpu<float> input(x);
    const OnGpu<int32_t> out(1);
    cuda::argmax(gpu(), out.data(), input.data(), 1, static_cast<int64_t>(x.size()));
    return out.read()[0];
  };
  CHECK(ofRow({NAN, 1, NAN, 2}) == 3);
  CHECK(ofRow({NAN, -HUGE_VALF, -HUGE_VALF}) == 1);
  CHECK(ofRow({-0.0f, 0.0f}) == 0);
  CHECK(ofRow({1, HUGE_VALF, HUGE_VALF}) == 1);
  std::vector<float> wide(9000, NAN);
  CHECK(ofRow(wide) == 0);
  wide[8999] = -HUGE_VALF;
  CHECK(ofRow(wide) == 8999);
}

TEST(sampleIsThatOfTheCpu) {
  // A border between two tokens lies where float32 weights of the CPU and whole numbers here put it, 1e-7 of
  // the whole apart. These draws are none that falls between.
  Random random(51);
  for (int trial = 0; trial < 12; ++trial) {
    const int64_t rows = 1 + trial % 3, width = trial % 6 == 0 ? 9001 : 50 + random.below(300);
    std::vector<float> x = random.normals(static_cast<size_t>(rows * width), 2);
    if (trial % 4 == 1) {
      for (float& value : x) value = std::round(value * 4) / 4;  // ties, also at the borders
    }
    const Filter filter{trial % 5 == 0 ? 1.0f : 0.3f + static_cast<float>(random.uniform()) * 2,
                        trial % 2 ? static_cast<int32_t>(1 + random.below(40)) : 0,
                        trial % 3 ? static_cast<float>(random.uniform()) : 1.0f};
    std::vector<double> uniform(static_cast<size_t>(rows));
    for (int i = 0; i < 2; ++i) {
      for (double& value : uniform) value = random.uniform();
      CHECK(drawn(x, rows, filter, uniform) == drawnByCpu(x, rows, filter, uniform));
    }
  }
}

TEST(sampleOfManyPiecesIsThatOfTheCpu) {
  // Of 9,001 logits, in five pieces, with 40 warps. What is kept ends at each of the bounds for nuclei, is
  // more or less than the shared memory of a block holds (2,048), and more or less than there are warps.
  Random random(54);
  const int64_t rows = 2, width = 9001;
  int wide = 0;
  for (const float spread : {0.05f, 1.0f, 3.0f, 12.0f, 50.0f}) {
    std::vector<float> x = random.normals(static_cast<size_t>(rows * width), spread);
    for (int64_t i = 0; i < width; i += 7) x[static_cast<size_t>(i)] = NAN;
    if (spread == 1.0f) {
      for (float& value : x) value = std::round(value * 8) / 8;  // ties, also across pieces
    }
    for (const auto& [topK, topP] : std::vector<std::pair<int32_t, float>>{{0, 0},
                                                                           {0, 0.3f},
                                                                           {0, 0.97f},
                                                                           {0, 0.9999f},
                                                                           {3, 0},
                                                                           {40, 0.9f},
                                                                           {41, 0},
                                                                           {300, 0.8f},
                                                                           {5000, 0},
                                                                           {8999, 0.99f}}) {
      for (int i = 0; i < 2; ++i) {
        const std::vector<double> uniform = {random.uniform(), random.uniform()};
        const std::vector<int32_t> found = drawn(x, rows, {0.8f, topK, topP}, uniform);
        CHECK(found == drawnByCpu(x, rows, {0.8f, topK, topP}, uniform));
        wide += found[0] >= 2048 ? 1 : 0;
      }
    }
  }
  CHECK(wide > 30);
}

TEST(sampleSeededDrawsTheNextNumberOfEachRow) {
  Random random(52);
  const int64_t rows = 3, width = 300;
  const std::vector<float> x = random.normals(static_cast<size_t>(rows * width), 2);
  std::vector<int32_t> words(static_cast<size_t>(4 * rows));
  for (int32_t& word : words) word = static_cast<int32_t>(random.below(int64_t{1} << 32));
  std::vector<double> uniform;
  for (int64_t row = 0; row < rows; ++row) uniform.push_back(cpu::nextUniform(words.data(), row));
  const OnGpu<float> logits(x);
  const OnGpu<int32_t> state(words), out(static_cast<size_t>(rows));
  for (const Filter& filter : {Filter{1, 0, 0}, Filter{0.7f, 9, 0.9f}}) {
    cuda::sampleSeeded(gpu(), out.data(), logits.data(), rows, width, filter.temperature, filter.topK,
                       filter.topP, state.data());
    CHECK(out.read() == drawn(x, rows, filter, uniform));
    CHECK(state.read() == words);
  }
}

TEST(advanceIsThatOfTheCpu) {
  Random random(53);
  for (const int64_t rows : {0, 1, 31, 33, 70}) {
    const auto integers = [&](int64_t count) {
      std::vector<int32_t> values(static_cast<size_t>(count));
      for (int32_t& value : values) value = static_cast<int32_t>(random.below(1 << 30));
      return values;
    };
    for (const bool all : {true, false}) {
      std::vector<int32_t> ids = integers(rows), positions = integers(rows), words = integers(4 * rows),
                           results = integers(2 * rows), chosen = integers(rows);
      std::vector<float> logprobs = random.normals(static_cast<size_t>(rows));
      const OnGpu<int32_t> there[] = {OnGpu<int32_t>(ids), OnGpu<int32_t>(positions), OnGpu<int32_t>(words),
                                      OnGpu<int32_t>(results), OnGpu<int32_t>(chosen)};
      const OnGpu<float> logprobsThere(logprobs);
      cuda::advance(gpu(), {there[0].data(), there[1].data(), all ? there[2].data() : nullptr,
                            there[3].data(), there[4].data(), all ? logprobsThere.data() : nullptr, rows});
      cpu::advance(cpuPool(), {ids.data(), positions.data(), all ? words.data() : nullptr, results.data(),
                               chosen.data(), all ? logprobs.data() : nullptr, rows});
      CHECK(there[0].read() == ids && there[1].read() == positions && there[2].read() == words &&
            there[3].read() == results && there[4].read() == chosen);
      CHECK(ids == chosen);
    }
  }
}

TEST(sampleKeepsTiesAndNuclei) {
  const std::vector<float> ties = {1, 3, 2, 2, 0};
  const std::vector<float> shares = {std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  const std::vector<float> equals(6, 1.0f);
  const auto kept = [](const std::vector<float>& x, const Filter& filter) {
    int mask = 0;
    for (int i = 0; i < 12; ++i) mask |= 1 << one(x, filter, i / 12.0);
    return mask;
  };
  CHECK(kept(ties, {1, 2, 0}) == 0b01110);
  CHECK(kept(shares, {1, 0, 1e-6f}) == 2);
  CHECK(kept(shares, {1, 0, 0.45f}) == 2);
  CHECK(kept(shares, {1, 0, 0.55f}) == 6);
  CHECK(kept(shares, {1, 0, 0.75f}) == 6);
  CHECK(kept(shares, {1, 0, 0.85f}) == 7);
  CHECK(kept(equals, {1, 0, 0.45f}) == 7);  // of equal ones the first three
}

TEST(sampleOfOddLogits) {
  for (const double uniform : {0.0, 1 - 0x1p-53}) {
    for (const auto& [topK, topP] : {std::pair<int32_t, float>{0, 0.0f}, {2, 0.0f}, {0, 0.9f}, {2, 0.9f}}) {
      const Filter filter{1, topK, topP};
      CHECK(one({NAN, NAN, NAN}, filter, uniform) == 0);
      CHECK(one({NAN, -HUGE_VALF, 2, NAN}, filter, uniform) == 2);
      CHECK(one({5, HUGE_VALF, 1, 0}, filter, uniform) == 1);
      const int32_t nothing = one({-HUGE_VALF, NAN, -HUGE_VALF}, filter, uniform);
      CHECK(nothing == 0 || nothing == 2);
      CHECK(one({1, 4, 2}, {1e-38f, topK, topP}, uniform) == 1);
      CHECK(one({1, 4, 2}, {0, topK, topP}, uniform) == 1);
      CHECK(one({7}, filter, uniform) == 0);
    }
  }
}
