#include <algorithm>
#include <utility>

#include "attention_problem.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

constexpr float kEpsilon = 1e-5f;

struct Outcome {
  std::vector<float> z, q, k, v, qRot, kRot;
  HostCache cache;
};

// Norms of q and k, on both sides.
struct Norms {
  explicit Norms(AttentionProblem& p)
      : qWeight(p.random, static_cast<size_t>(p.options.headDim), p.options.normDtype, 0.5f, 1),
        qBias(p.random, static_cast<size_t>(p.options.headDim), p.options.normDtype, 0.1f),
        kWeight(p.random, static_cast<size_t>(p.options.headDim), p.options.normDtype, 0.5f, 1),
        kBias(p.random, static_cast<size_t>(p.options.headDim), p.options.normDtype, 0.1f) {}
  WeightOnGpu qWeight, qBias, kWeight, kBias;
};

Outcome onCpu(AttentionProblem& p, const Norms& norms) {
  const std::vector<float> empty(p.elements);
  Outcome r{empty, empty, empty, empty, empty, empty, p.past};
  const auto of = [&](const WeightOnGpu& weight) { return p.options.norm ? weight.onHost() : kNone; };
  cpu::fusedAttention(cpuPool(), r.z.data(), p.qkv.data(), p.shape, of(norms.qWeight), of(norms.qBias),
                      of(norms.kWeight), of(norms.kBias), kEpsilon, p.cos.data(), p.sin.data(),
                      p.positions.data(), p.sequences.data(), p.view(r.cache),
                      {r.q.data(), r.k.data(), r.v.data(), r.qRot.data(), r.kRot.data()});
  return r;
}

// `shift`: bytes that keys and values lie away from an aligned address.
Outcome onGpu(AttentionProblem& p, const Norms& norms, bool taps, size_t shift = 0) {
  const OnGpu<float> z(p.elements), q(p.elements), k(p.elements), v(p.elements), qRot(p.elements),
      kRot(p.elements), qkv(p.qkv), cos(p.cos), sin(p.sin);
  const OnGpu<int32_t> table(p.pageTable), positions(p.positions), sequences(p.sequences);
  HostCache shifted = p.past;
  shifted.keys.insert(shifted.keys.begin(), shift, 0);
  shifted.values.insert(shifted.values.begin(), shift, 0);
  const GpuCache cache(shifted);
  cpu::CacheView view = p.view(cache, table);
  view.keys = static_cast<uint8_t*>(view.keys) + shift;
  view.values = static_cast<uint8_t*>(view.values) + shift;
  const auto of = [&](const WeightOnGpu& weight) { return p.options.norm ? weight.weight() : kNone; };
  cpu::AttentionTaps wanted{};
  if (taps) wanted = {q.data(), k.data(), v.data(), qRot.data(), kRot.data()};
  cuda::fusedAttention(gpu(), z.data(), qkv.data(), p.shape, of(norms.qWeight), of(norms.qBias),
                       of(norms.kWeight), of(norms.kBias), kEpsilon, cos.data(), sin.data(), positions.data(),
                       sequences.data(), view, wanted, p.limits);
  HostCache after = cache.read();
  after.keys.erase(after.keys.begin(), after.keys.begin() + static_cast<std::ptrdiff_t>(shift));
  after.values.erase(after.values.begin(), after.values.begin() + static_cast<std::ptrdiff_t>(shift));
  return {z.read(), q.read(), k.read(), v.read(), qRot.read(), kRot.read(), after};
}

// z of the rotated queries over a cache, by the steps of the CPU: a key that was rounded to its other
// neighbour than on the CPU then counts on both sides.
std::vector<float> inSteps(AttentionProblem& p, const std::vector<float>& qRot, HostCache cache) {
  std::vector<float> z(p.elements);
  const int64_t keys = p.limits.positions;
  std::vector<float> pattern(static_cast<size_t>(p.shape.tokens * p.shape.heads * keys));
  cpu::attentionPattern(cpuPool(), pattern.data(), keys, qRot.data(), p.shape, p.positions.data(),
                        p.sequences.data(), p.view(cache));
  cpu::attentionValues(cpuPool(), z.data(), pattern.data(), keys, p.shape, p.positions.data(),
                       p.sequences.data(), p.view(cache));
  return z;
}

void compare(AttentionProblem& p, size_t shift = 0) {
  const Norms norms(p);
  const Outcome expected = onCpu(p, norms), found = onGpu(p, norms, true, shift);
  CHECK_MESSAGE(distance(found.q, expected.q) < 1e-5 && distance(found.k, expected.k) < 1e-5, p.describe());
  CHECK_MESSAGE(distance(found.qRot, expected.qRot) < 1e-5 && distance(found.kRot, expected.kRot) < 1e-5,
                p.describe());
  CHECK_MESSAGE(sameBits(found.v, expected.v), p.describe());
  CHECK_MESSAGE(found.cache.values == expected.cache.values, p.describe());
  // Rounded keys may differ by one step of their type where they lie between two.
  const double step = p.options.cacheDtype == DType::kFloat32 ? 1e-5
                      : p.options.cacheDtype == DType::kInt8  ? 0.04
                                                              : 0.01;
  CHECK_MESSAGE(distance(p.widened(found.cache.keys, found.cache.keyScales),
                         p.widened(expected.cache.keys, expected.cache.keyScales)) < step,
                p.describe());
  CHECK_MESSAGE(distance(found.z, inSteps(p, found.qRot, found.cache)) < 1e-5, p.describe());
  CHECK_MESSAGE(sameBits(onGpu(p, norms, false, shift).z, found.z), "without taps, " + p.describe());
}

void compareTypes(AttentionProblemOptions options, uint64_t seed) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
    options.cacheDtype = dtype;
    AttentionProblem problem(options, ++seed);
    compare(problem);
  }
}

bool allNaN(const std::vector<float>& x) {
  return std::all_of(x.begin(), x.end(), [](float value) { return std::isnan(value); });
}

}  // namespace

TEST(fusedAttentionOfOneTokenIsThatOfTheCpu) {
  for (const int32_t past : {0, 1, 127, 128, 300, 1000})
    compareTypes({.heads = 2, .pageTokens = 32, .normDtype = DType::kBFloat16, .sequences = {{past, 1}}}, 70);
  // 32 blocks for each head of a GPU of 132 multiprocessors: all have keys, or 17 have.
  for (const int32_t past : {4095, 4101}) compareTypes({.pageTokens = 32, .sequences = {{past, 1}}}, 84);
}

TEST(fusedAttentionOfOddHeadsIsThatOfTheCpu) {
  compareTypes({.heads = 3, .headDim = 40, .rotaryDims = 12, .pageTokens = 7, .sequences = {{150, 1}}}, 71);
  compareTypes(
      {.heads = 1, .headDim = 5, .rotaryDims = 0, .pageTokens = 3, .norm = false, .sequences = {{9, 1}}}, 72);
  compareTypes(
      {.heads = 2, .headDim = 130, .rotaryDims = 130, .pageTokens = 4, .sequences = {{3, 2}, {0, 3}}}, 73);
}

TEST(fusedAttentionOfUnalignedPagesIsThatOfTheCpu) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
    AttentionProblem p({.cacheDtype = dtype, .sequences = {{20, 1}}}, 74);
    compare(p, dtype == DType::kFloat32 ? 4 : 2);
  }
}

TEST(fusedAttentionOfSeveralSequencesIsThatOfTheCpu) {
  compareTypes({.heads = 4, .pageTokens = 32, .sequences = {{200, 1}, {0, 1}, {31, 1}, {64, 1}}}, 75);
  compareTypes({.heads = 1, .sequences = {{5, 3}, {140, 1}, {0, 2}}}, 76);
}

TEST(fusedAttentionOfPromptsIsThatOfTheCpu) {
  compareTypes({.heads = 2, .pageTokens = 32, .sequences = {{0, 100}}}, 77);
  compareTypes({.heads = 1, .pageTokens = 8, .sequences = {{30, 70}, {3, 2}, {0, 40}}}, 78);
  compareTypes({.heads = 1, .pageTokens = 32, .sequences = {{150, 90}}}, 82);
}

TEST(fusedAttentionOfPromptsMayRoundItsProducts) {
  const Medium medium;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
    AttentionProblem p({.heads = 2, .pageTokens = 32, .cacheDtype = dtype, .sequences = {{40, 100}}}, 83);
    const Norms norms(p);
    const Outcome found = onGpu(p, norms, true);
    const double error = distance(found.z, inSteps(p, found.qRot, found.cache));
    // Queries and shares keep eight binary digits, but beside a float32 cache all.
    CHECK_MESSAGE(dtype == DType::kFloat32 ? error < 1e-5 : error < 1.0 / 64 && error > 1e-5,
                  p.describe() + ", error " + std::to_string(error));
  }
}

TEST(fusedAttentionShowsWhatIsNotFinite) {
  for (const auto& [dtype, fresh] :
       {std::pair{DType::kFloat32, 1}, {DType::kFloat32, 40}, {DType::kBFloat16, 40}, {DType::kInt8, 40}}) {
    AttentionProblem p({.heads = 1, .norm = false, .cacheDtype = dtype, .sequences = {{150, fresh}}}, 79);
    const Norms norms(p);
    const size_t last = p.qkv.size() - 3 * 64;
    // Of the first token's key and value, which every token sees, and of the last one's, which only that
    // sees. Dimension 40 is not rotated: beside an infinity there, and a query that is a power of 2 once it
    // is scaled, whose lower digits are all zero, some scores are -inf, which gives a share of 0.
    for (int32_t token = 0; token < fresh; ++token)
      p.qkv[static_cast<size_t>(token) * 3 * 64 + 40] = (token % 2 == 0 ? 8 : -8) / 1.44269504088896341f;
    for (const size_t at : {size_t{64 + 3}, size_t{64 + 40}, size_t{2 * 64 + 3}, last + 64 + 3,
                            last + 64 + 40, last + 2 * 64 + 3}) {
      for (const float odd : {static_cast<float>(NAN), HUGE_VALF}) {
        const float before = std::exchange(p.qkv[at], odd);
        const Outcome found = onGpu(p, norms, true), expected = onCpu(p, norms);
        for (size_t i = 0; i < p.elements; ++i)
          CHECK(std::isfinite(found.z[i]) == std::isfinite(expected.z[i]));
        p.qkv[at] = before;
      }
    }
  }
}

TEST(fusedAttentionOutsideGivesNaNAndStoresNothing) {
  for (const int32_t fresh : {1, 3, 70}) {
    for (const int wrong : {0, 1, 2, 3}) {
      AttentionProblem p({.heads = 2, .sequences = {{17, fresh}}}, 80);
      const Norms norms(p);
      if (wrong == 0) p.positions.back() = static_cast<int32_t>(p.limits.positions);
      if (wrong == 1) p.positions.back() = -1;
      if (wrong == 2) p.sequences.front() = 1;
      if (wrong == 3) p.pageTable[0] = -1;
      const Outcome found = onGpu(p, norms, false);
      CHECK(allNaN(found.z));
      CHECK(found.cache.keys == p.past.keys && found.cache.values == p.past.values);
    }
  }
}

TEST(fusedAttentionInAGraphFollowsThePosition) {
  // Captured at one position, launched at others: the length is read on the GPU.
  AttentionProblem p({.heads = 2, .pageTokens = 32, .cacheDtype = DType::kBFloat16, .sequences = {{300, 1}}},
                     81);
  const OnGpu<float> qkv(p.qkv), cos(p.cos), sin(p.sin), z(p.elements);
  const OnGpu<int32_t> table(p.pageTable), positions(p.positions), sequences(p.sequences);
  const GpuCache cache(p.past);
  const auto run = [&] {
    cuda::fusedAttention(gpu(), z.data(), qkv.data(), p.shape, kNone, kNone, kNone, kNone, kEpsilon,
                         cos.data(), sin.data(), positions.data(), sequences.data(), p.view(cache, table), {},
                         p.limits);
  };
  run();
  gpu().beginCapture();
  run();
  const auto graph = gpu().endCapture();
  for (const int32_t position : {299, 4, 140}) {
    gpu().copyIn(positions.data(), &position, sizeof position);
    HostCache host = cache.read();
    std::vector<float> expected(p.elements);
    cpu::fusedAttention(cpuPool(), expected.data(), p.qkv.data(), p.shape, kNone, kNone, kNone, kNone,
                        kEpsilon, p.cos.data(), p.sin.data(), &position, p.sequences.data(), p.view(host),
                        {});
    gpu().launch(*graph);
    CHECK(distance(z.read(), expected) < 1e-5);
  }
}
