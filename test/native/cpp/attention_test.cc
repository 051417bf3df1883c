#include "attention_case.h"

using namespace check;

namespace {

bool same(const AttentionResult& a, const AttentionResult& b) {
  return sameBits(a.z, b.z) && sameBits(a.keys, b.keys) && sameBits(a.values, b.values) &&
         sameBits(a.keyScales, b.keyScales) && sameBits(a.valueScales, b.valueScales);
}

bool sameTaps(const AttentionResult& a, const AttentionResult& b) {
  return sameBits(a.q, b.q) && sameBits(a.k, b.k) && sameBits(a.v, b.v) && sameBits(a.qRot, b.qRot) &&
         sameBits(a.kRot, b.kRot);
}

void checkCase(const AttentionOptions& options, uint64_t seed) {
  const AttentionCase problem(options, seed);
  forEachInstructionSet([&] {
    AttentionResult first;
    for (int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      AttentionResult fused = problem.emptyResult();
      problem.fused(pool, &fused, 0, problem.tokens(), true);
      if (threads == 1) {
        first = fused;
        const double tolerance = options.cacheDtype == DType::kFloat32 ? 2e-5 : 2e-2;
        CHECK_MESSAGE(distance(fused.z, problem.expected()) < tolerance,
                      problem.describe() + ": " + std::to_string(distance(fused.z, problem.expected())));
      }
      CHECK_MESSAGE(same(fused, first) && sameTaps(fused, first), problem.describe() + ": threads");
      if (options.cacheDtype == DType::kBFloat16) {
        CHECK_MESSAGE(sameBits(fused.z, problem.overRoundedFloats(pool, fused)),
                      problem.describe() + ": as over rounded floats");
      }
      if (options.cacheDtype == DType::kInt8) {
        // There the scales are multiplied with the floats, here with the sums.
        const std::vector<float> wanted = problem.overRoundedFloats(pool, fused);
        const double off = distance(fused.z, {wanted.begin(), wanted.end()});
        CHECK_MESSAGE(off < 2e-5, problem.describe() + ": as over rounded floats: " + std::to_string(off));
      }

      AttentionResult steps = problem.emptyResult();
      problem.inSteps(pool, &steps);
      CHECK_MESSAGE(same(steps, first) && sameTaps(steps, first), problem.describe() + ": in steps");

      AttentionResult oneByOne = problem.emptyResult();
      for (int64_t t = 0; t < problem.tokens(); ++t) problem.fused(pool, &oneByOne, t, t + 1, false);
      CHECK_MESSAGE(same(oneByOne, first), problem.describe() + ": token by token");

      AttentionResult inTwo = problem.emptyResult();
      const int64_t cut = problem.tokens() / 3;
      if (cut > 0) problem.fused(pool, &inTwo, 0, cut, true);
      problem.fused(pool, &inTwo, cut, problem.tokens(), true);
      CHECK_MESSAGE(same(inTwo, first) && sameTaps(inTwo, first), problem.describe() + ": in two parts");
    }
  });
}

}  // namespace

TEST(attentionOfAShortPrompt) {
  checkCase({.sequences = {{0, 37}}}, 41);
  checkCase({.heads = 1, .sequences = {{0, 1}}}, 42);
}

TEST(attentionOverOddShapes) {
  uint64_t seed = 50;
  for (int32_t dim : {1, 3, 16, 17, 64, 80, 100, 128}) {
    const int32_t even = dim / 2 * 2;
    for (int32_t rotary : {0, even / 4 * 2, even}) {
      checkCase({.heads = 3,
                 .headDim = dim,
                 .rotaryDims = rotary,
                 .pageTokens = rotary == even ? 5 : 16,
                 .norm = rotary != 0,
                 .dtype = dim % 2 ? DType::kBFloat16 : DType::kFloat32,
                 .sequences = {{7, 11}, {0, 3}}},
                ++seed);
    }
  }
}

TEST(attentionOfRaggedBatches) {
  checkCase({.pageTokens = 7, .sequences = {{0, 5}, {19, 1}, {3, 23}, {64, 1}, {0, 1}}}, 81);
  checkCase({.heads = 5, .headDim = 16, .rotaryDims = 8, .sequences = {{100, 1}, {101, 1}, {5, 1}, {90, 2}}},
            82);
}

TEST(attentionOfSequencesThatSharePages) {
  checkCase({.sequences = {{32, 9}, {32, 1}, {32, 4}}, .sharePast = true}, 83);
}

TEST(attentionOfLongContexts) {
  // Beyond a chunk of values (512), so that sums of chunks are taken.
  checkCase({.heads = 1, .sequences = {{1021, 20}, {505, 16}}}, 84);
  // Beyond a block of the softmax (4096).
  checkCase({.heads = 1, .headDim = 16, .rotaryDims = 4, .sequences = {{4094, 5}}}, 87);
  checkCase({.heads = 1, .headDim = 20, .rotaryDims = 4, .pageTokens = 100, .sequences = {{700, 1}}}, 85);
}

TEST(attentionIgnoresWhatComesLater) {
  // The value of the last token is infinite: no earlier token may notice, though they share a block of
  // queries.
  namespace cpu = persimmon::cpu;
  forEachPool([&](ThreadPool& pool) {
    const int64_t tokens = 6, dim = 16;
    Random random(86);
    std::vector<float> qkv = random.normals(static_cast<size_t>(tokens * 3 * dim));
    for (int64_t i = 0; i < dim; ++i)
      qkv[static_cast<size_t>((tokens - 1) * 3 * dim + 2 * dim + i)] = HUGE_VALF;
    std::vector<float> keys(16 * 16), values(16 * 16), z(static_cast<size_t>(tokens * dim));
    const std::vector<int32_t> positions = {0, 1, 2, 3, 4, 5}, sequences(6, 0), table = {0};
    cpu::fusedAttention(pool, z.data(), qkv.data(), {tokens, 1, 16, 0}, kNone, kNone, kNone, kNone, 1e-5f,
                        nullptr, nullptr, positions.data(), sequences.data(),
                        {keys.data(), values.data(), table.data(), 1, 16}, {});
    for (size_t i = 0; i < z.size(); ++i)
      CHECK(std::isfinite(z[i]) == (i < static_cast<size_t>((tokens - 1) * dim)));
  });
}

TEST(attentionOverABFloat16Cache) {
  uint64_t seed = 90;
  for (int32_t dim : {1, 3, 17, 64, 80}) {
    checkCase({.heads = 3,
               .headDim = dim,
               .rotaryDims = dim / 4 * 2,
               .pageTokens = 7,
               .norm = dim != 17,
               .cacheDtype = DType::kBFloat16,
               .sequences = {{7, 11}, {0, 3}, {40, 1}}},
              ++seed);
  }
  checkCase({.cacheDtype = DType::kBFloat16, .sequences = {{32, 9}, {32, 1}, {32, 4}}, .sharePast = true},
            99);
}

TEST(attentionOverAnInt8Cache) {
  uint64_t seed = 190;
  for (int32_t dim : {1, 3, 17, 64, 80}) {
    checkCase({.heads = 3,
               .headDim = dim,
               .rotaryDims = dim / 4 * 2,
               .pageTokens = dim == 64 ? 32 : 7,
               .norm = dim != 17,
               .cacheDtype = DType::kInt8,
               .sequences = {{7, 11}, {0, 3}, {40, 1}}},
              ++seed);
  }
  checkCase({.cacheDtype = DType::kInt8, .sequences = {{32, 9}, {32, 1}, {32, 4}}, .sharePast = true}, 199);
  checkCase({.heads = 1, .cacheDtype = DType::kInt8, .sequences = {{1021, 20}, {505, 16}}}, 200);
}

TEST(int8RowsThatCannotBeRounded) {
  // Keys: zeros, tiny, huge, infinite, NaN. Rounding makes zeros of the tiny, and whoever sees the last two
  // gets NaN, as with float32.
  namespace cpu = persimmon::cpu;
  const std::vector<float> kinds = {0.0f, 1e-40f, 3e38f, HUGE_VALF, NAN};
  const int64_t dim = 20;
  forEachPool([&](ThreadPool& pool) {
    const int64_t tokens = static_cast<int64_t>(kinds.size());
    std::vector<float> rows(static_cast<size_t>(tokens * dim));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = kinds[i / static_cast<size_t>(dim)];
    std::vector<int8_t> keys(8 * static_cast<size_t>(dim), 99), values(keys);
    std::vector<float> keyScales(8), valueScales(8), pattern(static_cast<size_t>(tokens * 8));
    const std::vector<int32_t> positions = {0, 1, 2, 3, 4}, sequences(5, 0), table = {0};
    const cpu::CacheView cache = {keys.data(), values.data(), table.data(),     1,
                                  8,           DType::kInt8,  keyScales.data(), valueScales.data()};
    const cpu::AttentionShape shape = {tokens, 1, static_cast<int32_t>(dim), 0};
    cpu::cacheAppend(pool, rows.data(), rows.data(), shape, positions.data(), sequences.data(), cache);
    CHECK(keyScales[0] == 0 && keyScales[1] == 0 && std::isnan(keyScales[3]) && std::isnan(keyScales[4]));
    CHECK(keys[0] == 0 && keys[static_cast<size_t>(dim)] == 0 && keys[2 * static_cast<size_t>(dim)] == 127);
    CHECK(std::fabs(keyScales[2] / (3e38f / 127) - 1) < 1e-6);
    const std::vector<float> q(rows.size(), 1e-38f);
    cpu::attentionPattern(pool, pattern.data(), 8, q.data(), shape, positions.data(), sequences.data(),
                          cache);
    CHECK(std::fabs(pattern[8] - 0.5) < 1e-6 && std::isfinite(pattern[2 * 8]));
    CHECK(std::isnan(pattern[3 * 8]) && std::isnan(pattern[4 * 8]));
  });
}
