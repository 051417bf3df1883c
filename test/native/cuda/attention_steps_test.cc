#include <algorithm>

#include "attention_problem.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

namespace {

std::vector<AttentionProblemOptions> problems() {
  return {
      {.heads = 4, .sequences = {{0, 5}}},
      {.heads = 3, .headDim = 33, .rotaryDims = 14, .pageTokens = 5, .sequences = {{7, 3}, {0, 1}, {12, 2}}},
      {.heads = 1, .headDim = 100, .rotaryDims = 0, .pageTokens = 1, .sequences = {{3, 2}}},
      {.heads = 5, .headDim = 2, .rotaryDims = 2, .pageTokens = 8, .sequences = {{0, 9}}},
  };
}

/** f(problem) for each shape and type of cache. */
template <class F>
void forEachProblem(F&& f) {
  uint64_t seed = 40;
  for (AttentionProblemOptions options : problems()) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
      options.cacheDtype = dtype;
      AttentionProblem problem(options, ++seed);
      f(problem);
    }
  }
}

bool allNaN(const std::vector<float>& x) {
  return std::all_of(x.begin(), x.end(), [](float value) { return std::isnan(value); });
}

}  // namespace

TEST(splitHeadsAndRotaryAreThoseOfTheCpu) {
  forEachProblem([](AttentionProblem& p) {
    std::vector<float> q(p.elements), k(p.elements), v(p.elements), turned(p.elements);
    cpu::splitHeads(cpuPool(), q.data(), k.data(), v.data(), p.qkv.data(), p.shape);
    cpu::rotary(cpuPool(), turned.data(), q.data(), p.shape, p.cos.data(), p.sin.data(), p.positions.data());
    const OnGpu<float> qkv(p.qkv), cos(p.cos), sin(p.sin), onQ(p.elements), onK(p.elements), onV(p.elements),
        onTurned(p.elements);
    const OnGpu<int32_t> positions(p.positions);
    cuda::splitHeads(gpu(), onQ.data(), onK.data(), onV.data(), qkv.data(), p.shape);
    CHECK(sameBits(onQ.read(), q) && sameBits(onK.read(), k) && sameBits(onV.read(), v));
    cuda::rotary(gpu(), onTurned.data(), onQ.data(), p.shape, cos.data(), sin.data(), positions.data(),
                 p.limits.positions);
    CHECK_MESSAGE(sameBits(onTurned.read(), turned), p.describe());
    cuda::rotary(gpu(), onQ.data(), onQ.data(), p.shape, cos.data(), sin.data(), positions.data(),
                 p.limits.positions);
    CHECK_MESSAGE(sameBits(onQ.read(), turned), "in place, " + p.describe());
    cuda::rotary(gpu(), onTurned.data(), onQ.data(), p.shape, cos.data(), sin.data(), positions.data(),
                 p.limits.positions - 1);
    CHECK(allNaN(onTurned.read()));
  });
}

TEST(rotaryOfManyRows) {
  // More rows than the second axis of a grid takes.
  const cpu::AttentionShape shape{70001, 1, 2, 2};
  std::vector<float> x(140002);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i);
  const std::vector<int32_t> positions(70001, 1);
  const OnGpu<float> onX(x), cos(std::vector<float>{1, 0}), sin(std::vector<float>{0, 1}), out(x.size());
  const OnGpu<int32_t> onPositions(positions);
  cuda::rotary(gpu(), out.data(), onX.data(), shape, cos.data(), sin.data(), onPositions.data(), 2);
  const std::vector<float> turned = out.read();
  for (size_t i = 0; i < x.size(); i += 2) CHECK(turned[i] == -x[i + 1] && turned[i + 1] == x[i]);
}

TEST(cacheAppendIsThatOfTheCpu) {
  forEachProblem([](AttentionProblem& p) {
    std::vector<float> k = p.random.normals(p.elements), v = p.random.normals(p.elements, 1e-3f);
    const auto width = static_cast<size_t>(p.options.headDim);
    std::fill_n(k.begin(), width, 0.0f);
    std::fill_n(v.begin(), width, 1e-38f);
    if (p.options.headDim > 2) k[width + 1] = HUGE_VALF;
    HostCache expected = p.past;
    cpu::cacheAppend(cpuPool(), k.data(), v.data(), p.shape, p.positions.data(), p.sequences.data(),
                     p.view(expected));
    const GpuCache cache(p.past);
    const OnGpu<int32_t> table(p.pageTable), positions(p.positions), sequences(p.sequences);
    const OnGpu<float> onK(k), onV(v);
    cuda::cacheAppend(gpu(), onK.data(), onV.data(), p.shape, positions.data(), sequences.data(),
                      p.view(cache, table), p.limits);
    const HostCache found = cache.read();
    CHECK_MESSAGE(found.keys == expected.keys && found.values == expected.values, p.describe());
    if (p.options.cacheDtype == DType::kInt8) {
      CHECK(distance(found.keyScales, expected.keyScales) == 0);
      CHECK(distance(found.valueScales, expected.valueScales) == 0);
    }
  });
}

TEST(patternAndValuesAreThoseOfTheCpu) {
  forEachProblem([](AttentionProblem& p) {
    const std::vector<float> q = p.random.normals(p.elements, 2), k = p.random.normals(p.elements),
                             v = p.random.normals(p.elements);
    HostCache host = p.past;
    cpu::cacheAppend(cpuPool(), k.data(), v.data(), p.shape, p.positions.data(), p.sequences.data(),
                     p.view(host));
    const int64_t keys = p.limits.positions + 2;
    const auto patternSize = static_cast<size_t>(p.shape.tokens * p.shape.heads * keys);
    std::vector<float> pattern(patternSize), z(p.elements);
    cpu::attentionPattern(cpuPool(), pattern.data(), keys, q.data(), p.shape, p.positions.data(),
                          p.sequences.data(), p.view(host));
    cpu::attentionValues(cpuPool(), z.data(), pattern.data(), keys, p.shape, p.positions.data(),
                         p.sequences.data(), p.view(host));
    const GpuCache cache(host);
    const OnGpu<int32_t> table(p.pageTable), positions(p.positions), sequences(p.sequences);
    const OnGpu<float> onQ(q), onPattern(patternSize), onZ(p.elements);
    cuda::attentionPattern(gpu(), onPattern.data(), keys, onQ.data(), p.shape, positions.data(),
                           sequences.data(), p.view(cache, table), p.limits);
    CHECK_MESSAGE(distance(onPattern.read(), pattern) < 1e-5, p.describe());
    cuda::attentionValues(gpu(), onZ.data(), onPattern.data(), keys, p.shape, positions.data(),
                          sequences.data(), p.view(cache, table), p.limits);
    CHECK_MESSAGE(distance(onZ.read(), z) < 1e-5, p.describe());
  });
}

TEST(placesOutsideGiveNaNAndStoreNothing) {
  AttentionProblem p({.pageTokens = 4, .sequences = {{6, 2}, {1, 3}}}, 60);
  const int64_t keys = p.limits.positions;
  const OnGpu<float> q(p.random.normals(p.elements)), pattern(static_cast<size_t>(p.shape.tokens * 2 * keys)),
      z(p.elements);
  const auto tryWith = [&](std::vector<int32_t> positions, std::vector<int32_t> sequences,
                           std::vector<int32_t> pages, cuda::AttentionLimits limits, bool isInside) {
    const GpuCache cache(p.past);
    const OnGpu<int32_t> table(pages), onPositions(positions), onSequences(sequences);
    const cpu::CacheView view = p.view(cache, table);
    cuda::attentionPattern(gpu(), pattern.data(), keys, q.data(), p.shape, onPositions.data(),
                           onSequences.data(), view, limits);
    CHECK(isInside || allNaN(pattern.read()));
    cuda::attentionValues(gpu(), z.data(), pattern.data(), keys, p.shape, onPositions.data(),
                          onSequences.data(), view, limits);
    CHECK(isInside || allNaN(z.read()));
    cuda::cacheAppend(gpu(), q.data(), q.data(), p.shape, onPositions.data(), onSequences.data(), view,
                      limits);
    CHECK((cache.read().keys == p.past.keys) == !isInside);
  };
  const auto changed = [](std::vector<int32_t> x, size_t i, int32_t value) {
    x[i] = value;
    return x;
  };
  tryWith(p.positions, p.sequences, p.pageTable, p.limits, true);
  tryWith(changed(p.positions, 4, -1), p.sequences, p.pageTable, p.limits, false);
  tryWith(changed(p.positions, 0, static_cast<int32_t>(keys)), p.sequences, p.pageTable, p.limits, false);
  tryWith(changed(p.positions, 0, 0x7fffffff), p.sequences, p.pageTable, p.limits, false);
  tryWith(p.positions, changed(p.sequences, 1, 2), p.pageTable, p.limits, false);
  tryWith(p.positions, changed(p.sequences, 1, -1), p.pageTable, p.limits, false);
  tryWith(p.positions, p.sequences, changed(p.pageTable, 0, static_cast<int32_t>(p.limits.pageCount)),
          p.limits, false);
  tryWith(p.positions, p.sequences, changed(p.pageTable, 1, -1), p.limits, false);
  // The second sequence has four positions, which fill one page: no token needs its second.
  tryWith(p.positions, p.sequences, changed(p.pageTable, static_cast<size_t>(p.pagesPerSequence) + 1, -1),
          p.limits, true);
}
