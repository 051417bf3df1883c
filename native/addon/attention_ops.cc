// All attention ops share the trailing arguments that AttentionCall reads, as a plain object (see
// AttentionArguments in src/native.ts).
#include <algorithm>
#include <limits>
#include <vector>

#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// Where the tokens of a batch stand: shape, positions, and the pages of their sequences.
struct AttentionCall {
  cpu::AttentionShape shape{};
  const int32_t* positions = nullptr;
  const int32_t* sequences = nullptr;
  cpu::CacheView cache{};
  int64_t elements = 0;  // tokens * heads * headDim
  int32_t sequenceCount = 0;
  int64_t pageCount = 0;

  // The same for a GPU, whose kernels check it.
  cuda::AttentionLimits limits(int64_t positions) const { return {sequenceCount, pageCount, positions}; }

  // Whether every token stands at a position below `limit` and all pages up to it exist. These numbers are
  // read on the stream, because they may have been computed there; the cost is one pass over tokens and page
  // tables.
  bool valid(int64_t limit) const {
    std::vector<int64_t> lengths(static_cast<size_t>(sequenceCount), 0);
    limit = std::min<int64_t>(limit, int64_t{cache.pagesPerSequence} * cache.pageTokens);
    for (int64_t token = 0; token < shape.tokens; ++token) {
      const int32_t sequence = sequences[token], position = positions[token];
      if (sequence < 0 || sequence >= sequenceCount || position < 0 || position >= limit) return false;
      lengths[sequence] = std::max<int64_t>(lengths[sequence], position + 1);
    }
    for (int32_t sequence = 0; sequence < sequenceCount; ++sequence) {
      const int32_t* pages = cache.pageTable + int64_t{sequence} * cache.pagesPerSequence;
      const int64_t used = (lengths[sequence] + cache.pageTokens - 1) / cache.pageTokens;
      for (int64_t page = 0; page < used; ++page) {
        if (pages[page] < 0 || pages[page] >= pageCount) return false;
      }
    }
    return true;
  }
};

void fillNaN(float* out, int64_t count) { std::fill_n(out, count, std::numeric_limits<float>::quiet_NaN()); }

// A size that the kernels hold in 32 bits.
int32_t narrow(OpCall& call, int index, int64_t size) {
  call.require(size <= std::numeric_limits<int32_t>::max(), index, "a size does not fit 32 bits");
  return static_cast<int32_t>(size);
}

// Reads `{tokens, heads, headDim, rotaryDims, sequenceCount, pagesPerSequence, pageTokens, pageCount}` at
// `index` and the buffers positions, sequences, keys, values, pageTable, keyScales, valueScales after it; the
// last two are null but for int8 keys and values.
AttentionCall attention(OpCall& call, int index) {
  AttentionCall result;
  const auto field = [&](const char* name) { return call.field(index, name); };
  const auto small = [&](const char* name) { return narrow(call, index, field(name)); };
  result.shape = {field("tokens"), small("heads"), small("headDim"), small("rotaryDims")};
  const cpu::AttentionShape& shape = result.shape;
  result.elements = OpCall::product({shape.tokens, shape.heads, shape.headDim});
  result.cache.pageTokens = small("pageTokens");
  result.cache.pagesPerSequence = small("pagesPerSequence");
  result.sequenceCount = small("sequenceCount");
  result.pageCount = field("pageCount");
  call.require(shape.heads > 0 && shape.headDim > 0 && result.cache.pageTokens > 0 &&
                   shape.rotaryDims % 2 == 0 && shape.rotaryDims <= shape.headDim,
               index,
               "heads, headDim and pageTokens must be at least 1, rotaryDims even and at most headDim");
  result.positions = call.integers(index + 1, shape.tokens);
  result.sequences = call.integers(index + 2, shape.tokens);
  const int64_t rows = OpCall::product({result.pageCount, shape.heads, result.cache.pageTokens});
  const int64_t slots = OpCall::product({rows, shape.headDim});
  const cpu::Weight keys = call.anyWeight(index + 3, slots), values = call.anyWeight(index + 4, slots);
  call.require(keys.dtype == values.dtype, index + 4, "keys and values must be of one type");
  result.cache.keys = const_cast<void*>(keys.data);
  result.cache.values = const_cast<void*>(values.data);
  result.cache.dtype = keys.dtype;
  result.cache.pageTable =
      call.integers(index + 5, OpCall::product({result.sequenceCount, result.cache.pagesPerSequence}));
  if (keys.dtype == cpu::DType::kInt8) {
    result.cache.keyScales = call.floats(index + 6, rows);
    result.cache.valueScales = call.floats(index + 7, rows);
  }
  return result;
}

// fusedAttention(stream, z, qkv, qNormWeight, qNormBias, kNormWeight, kNormBias, epsilon, cos, sin,
// maxPositions,
//                q, k, v, qRot, kRot, sizes, positions, sequences, keys, values, pageTable,
//                keyScales, valueScales); norms, taps and scales may be null
void fusedAttention(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const AttentionCall at = attention(call, 16);
  const cpu::AttentionShape shape = at.shape;
  const int64_t maxPositions = call.integer(10);
  const int64_t tables = OpCall::product({maxPositions, shape.rotaryDims / 2});
  float* z = call.floats(1, at.elements);
  const float* qkv = call.floats(2, OpCall::product({3, at.elements}));
  const cpu::Weight qWeight = call.optionalWeight(3, shape.headDim),
                    qBias = call.optionalWeight(4, shape.headDim);
  const cpu::Weight kWeight = call.optionalWeight(5, shape.headDim),
                    kBias = call.optionalWeight(6, shape.headDim);
  const float epsilon = call.number(7);
  const float* cos = call.floats(8, tables);
  const float* sin = call.floats(9, tables);
  const cpu::AttentionTaps taps{call.optionalFloats(11, at.elements), call.optionalFloats(12, at.elements),
                                call.optionalFloats(13, at.elements), call.optionalFloats(14, at.elements),
                                call.optionalFloats(15, at.elements)};
  if (call.failed()) return;
  call.run(
      [=](ThreadPool& pool) {
        if (!at.valid(maxPositions)) return fillNaN(z, at.elements);
        cpu::fusedAttention(pool, z, qkv, shape, qWeight, qBias, kWeight, kBias, epsilon, cos, sin,
                            at.positions, at.sequences, at.cache, taps);
      },
      [=](cuda::Queue& gpu) {
        cuda::fusedAttention(gpu, z, qkv, shape, qWeight, qBias, kWeight, kBias, epsilon, cos, sin,
                             at.positions, at.sequences, at.cache, taps, at.limits(maxPositions));
      });
}

// splitHeads(stream, q, k, v, qkv, tokens, heads, headDim)
void splitHeads(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const cpu::AttentionShape shape{call.integer(5), narrow(call, 6, call.integer(6)),
                                  narrow(call, 7, call.integer(7)), 0};
  const int64_t elements = OpCall::product({shape.tokens, shape.heads, shape.headDim});
  float* q = call.floats(1, elements);
  float* k = call.floats(2, elements);
  float* v = call.floats(3, elements);
  const float* qkv = call.floats(4, OpCall::product({3, elements}));
  if (call.failed() || elements == 0) return;
  call.run(cpu::splitHeads, cuda::splitHeads, q, k, v, qkv, shape);
}

// rotary(stream, out, x, cos, sin, positions, tokens, heads, headDim, rotaryDims, maxPositions)
void rotary(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const cpu::AttentionShape shape{call.integer(6), narrow(call, 7, call.integer(7)),
                                  narrow(call, 8, call.integer(8)), narrow(call, 9, call.integer(9))};
  call.require(shape.rotaryDims % 2 == 0 && shape.rotaryDims <= shape.headDim, 9,
               "rotaryDims must be even and at most headDim");
  const int64_t elements = OpCall::product({shape.tokens, shape.heads, shape.headDim});
  const int64_t maxPositions = call.integer(10);
  const int64_t tables = OpCall::product({maxPositions, shape.rotaryDims / 2});
  float* out = call.floats(1, elements);
  const float* x = call.floats(2, elements);
  const float* cos = call.floats(3, tables);
  const float* sin = call.floats(4, tables);
  const int32_t* positions = call.integers(5, shape.tokens);
  if (call.failed() || elements == 0) return;
  call.run(
      [=](ThreadPool& pool) {
        const bool inside = std::all_of(positions, positions + shape.tokens, [=](int32_t position) {
          return position >= 0 && position < maxPositions;
        });
        if (!inside) return fillNaN(out, elements);
        cpu::rotary(pool, out, x, shape, cos, sin, positions);
      },
      [=](cuda::Queue& gpu) { cuda::rotary(gpu, out, x, shape, cos, sin, positions, maxPositions); });
}

// cacheAppend(stream, k, v, sizes, positions, sequences, keys, values, pageTable, keyScales,
// valueScales)
void cacheAppend(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const AttentionCall at = attention(call, 3);
  const float* k = call.floats(1, at.elements);
  const float* v = call.floats(2, at.elements);
  if (call.failed()) return;
  constexpr int64_t kAnywhere = std::numeric_limits<int64_t>::max();
  call.run(
      [=](ThreadPool& pool) {
        if (!at.valid(kAnywhere)) return;
        cpu::cacheAppend(pool, k, v, at.shape, at.positions, at.sequences, at.cache);
      },
      [=](cuda::Queue& gpu) {
        cuda::cacheAppend(gpu, k, v, at.shape, at.positions, at.sequences, at.cache, at.limits(kAnywhere));
      });
}

// attentionPattern(stream, pattern, q, keyCount, sizes, positions, sequences, keys, values, pageTable,
// keyScales, valueScales)
void attentionPattern(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const AttentionCall at = attention(call, 4);
  const int64_t keyCount = call.integer(3);
  float* pattern = call.floats(1, OpCall::product({at.shape.tokens, at.shape.heads, keyCount}));
  const float* q = call.floats(2, at.elements);
  if (call.failed()) return;
  call.run(
      [=](ThreadPool& pool) {
        if (!at.valid(keyCount)) return fillNaN(pattern, at.shape.tokens * at.shape.heads * keyCount);
        cpu::attentionPattern(pool, pattern, keyCount, q, at.shape, at.positions, at.sequences, at.cache);
      },
      [=](cuda::Queue& gpu) {
        cuda::attentionPattern(gpu, pattern, keyCount, q, at.shape, at.positions, at.sequences, at.cache,
                               at.limits(keyCount));
      });
}

// attentionValues(stream, z, pattern, keyCount, sizes, positions, sequences, keys, values, pageTable,
// keyScales, valueScales)
void attentionValues(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const AttentionCall at = attention(call, 4);
  const int64_t keyCount = call.integer(3);
  float* z = call.floats(1, at.elements);
  const float* pattern = call.floats(2, OpCall::product({at.shape.tokens, at.shape.heads, keyCount}));
  if (call.failed()) return;
  call.run(
      [=](ThreadPool& pool) {
        if (!at.valid(keyCount)) return fillNaN(z, at.elements);
        cpu::attentionValues(pool, z, pattern, keyCount, at.shape, at.positions, at.sequences, at.cache);
      },
      [=](cuda::Queue& gpu) {
        cuda::attentionValues(gpu, z, pattern, keyCount, at.shape, at.positions, at.sequences, at.cache,
                              at.limits(keyCount));
      });
}

// attention(stream, z, q, k, v, tokens, keys, heads, headDim, scale, causal: 0 | 1)
void attentionWithoutCache(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t tokens = call.integer(5), keys = narrow(call, 6, call.integer(6));
  const int32_t heads = narrow(call, 7, call.integer(7)), headDim = narrow(call, 8, call.integer(8));
  const float scale = call.number(9);
  const bool causal = call.integer(10) != 0;
  const int64_t count = OpCall::product({tokens, heads, headDim}),
                cached = OpCall::product({keys, heads, headDim});
  float* z = call.floats(1, count);
  const float* q = call.floats(2, count);
  const float* k = call.floats(3, cached);
  const float* v = call.floats(4, cached);
  call.require(count == 0 || keys > 0, 6, "attention needs a key");
  call.require(!causal || tokens == keys, 10, "causal attention has a key for each token");
  call.require(count == 0 || (z != k && z != v), 1, "the result must have memory of its own");
  if (call.failed() || count == 0) return;
  call.run(cpu::attention, cuda::attention, z, q, k, v, tokens, keys, heads, headDim, scale, causal);
}

}  // namespace

void exportAttentionOps(Napi::Object exports) {
  exportOp<fusedAttention>(exports, "fusedAttention");
  exportOp<splitHeads>(exports, "splitHeads");
  exportOp<rotary>(exports, "rotary");
  exportOp<cacheAppend>(exports, "cacheAppend");
  exportOp<attentionPattern>(exports, "attentionPattern");
  exportOp<attentionValues>(exports, "attentionValues");
  exportOp<attentionWithoutCache>(exports, "attention");
}

}  // namespace persimmon
