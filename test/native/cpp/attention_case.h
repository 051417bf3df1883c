// A random attention problem: ragged sequences over shuffled pages, some of them shared, and the naive
// answer.
#pragma once

#include "check.h"

namespace check {

struct AttentionOptions {
  int32_t heads = 2, headDim = 64, rotaryDims = 32, pageTokens = 16;
  bool norm = true;
  DType dtype = DType::kFloat32;  // of the norms
  DType cacheDtype = DType::kFloat32;
  /** Tokens already in the cache and tokens to come, for each sequence. */
  std::vector<std::pair<int32_t, int32_t>> sequences = {{0, 5}};
  /** Sequences share the pages that their common `past` fills. */
  bool sharePast = false;
};

/** keys and values: memory of the cache, of which bfloat16 fills half and int8 a quarter; scales of int8. */
struct AttentionResult {
  std::vector<float> z, q, k, v, qRot, kRot, keys, values, keyScales, valueScales;
};

class AttentionCase {
 public:
  AttentionCase(const AttentionOptions& options, uint64_t seed);

  /** Runs tokens [from, to) through the fused operation, on a fresh cache if `keys` is empty. */
  void fused(ThreadPool& pool, AttentionResult* result, int64_t from, int64_t to, bool taps) const;
  void inSteps(ThreadPool& pool, AttentionResult* result) const;
  AttentionResult emptyResult() const;
  /** z over a float32 cache that holds, rounded as the cache does, the past and the keys and values that `r`
   * tapped. */
  std::vector<float> overRoundedFloats(ThreadPool& pool, const AttentionResult& r) const;
  /** [tokens, heads * headDim] in double. */
  const std::vector<double>& expected() const { return expected_; }
  int64_t tokens() const { return static_cast<int64_t>(positions_.size()); }
  std::string describe() const;

 private:
  void addTokens();
  void fillTables();
  void fillPast();
  void solve();
  persimmon::cpu::AttentionShape shape(int64_t tokens) const;
  persimmon::cpu::CacheView view(AttentionResult* result) const;
  persimmon::cpu::CacheView floatView(std::vector<float>* keys, std::vector<float>* values) const;
  size_t slot(int32_t sequence, int32_t head, int32_t position) const;

  AttentionOptions options_;
  mutable Random random_;
  StoredWeight qWeight_, qBias_, kWeight_, kBias_;
  std::vector<int32_t> positions_, sequences_, pageTable_;
  int32_t pagesPerSequence_ = 0;
  std::vector<float> qkv_, cos_, sin_, keys_, values_;
  std::vector<double> expected_;
};

}  // namespace check
