// Cuts attention into blocks of queries and gives them to the threads.
#pragma once

#include <new>

#include "cpu/ops/attention_core.h"
#include "cpu/ops/linear_pieces.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/**
 * f(part, block) for every head and every block of up to kQueryBlock consecutive tokens of one sequence, on
 * all threads; `part` is the thread. f gets the block with q, z, scores unset and `firstToken` beside it. A
 * head's blocks follow one another, so that its keys and values stay in cache, and the long ones (late
 * positions) come first, so that no thread is left alone with one at the end.
 */
template <class F>
void forEachQueryBlock(ThreadPool& pool, const AttentionShape& shape, const int32_t* positions,
                       const int32_t* sequences, const CacheView& cache, CacheParts parts, F&& f) {
  // In the scratch that the caller has reserved: what goes ahead for each thread, and where blocks start,
  // which is where a sequence does and every kQueryBlock tokens after that.
  auto* ahead = static_cast<CacheAhead*>(pool.sharedScratch());
  for (int part = 0; part < pool.size(); ++part) new (ahead + part) CacheAhead(cache, shape, parts);
  auto* starts = reinterpret_cast<int64_t*>(ahead + pool.size());
  int64_t blocks = 0;
  for (int64_t token = 0; token < shape.tokens; ++token) {
    if (token == 0 || sequences[token] != sequences[token - 1] || token - starts[blocks - 1] == kQueryBlock) {
      starts[blocks++] = token;
    }
  }
  starts[blocks] = shape.tokens;

  const int64_t tasks = blocks * shape.heads;
  const auto headOf = [&](int64_t index) { return static_cast<int32_t>(index / blocks); };
  const auto blockOf = [&](int64_t index) { return blocks - 1 - index % blocks; };
  const auto cachedHead = [&](int64_t index) -> CachedHead {
    const int64_t token = starts[blockOf(index)];
    return {sequences[token], headOf(index), positions[token] + int64_t{1}};
  };
  const auto task = [&](int part, int64_t index, int64_t next) {
    const int64_t i = blockOf(index);
    QueryBlock block;
    block.head = headOf(index);
    block.queries = static_cast<int>(starts[i + 1] - starts[i]);
    block.sequence = sequences[starts[i]];
    for (int query = 0; query < block.queries; ++query)
      block.counts[query] = positions[starts[i] + query] + int64_t{1};
    if (CacheAhead::pays(block.queries, cache, shape)) {
      block.ahead = ahead + part;
      block.ahead->enter(cachedHead(index), next != index ? cachedHead(next) : CachedHead{});
    }
    f(part, starts[i], block);
  };
  int64_t work = 0;
  for (int64_t token = 0; token < shape.tokens; ++token) work += positions[token] + 1;
  // Below this many multiply-adds (about 15 microseconds) a second thread costs more than it brings.
  const bool alone = work * shape.heads * shape.headDim < 131072;
  ChunkQueue queue(tasks, 1);
  eachPieceAhead(pool, queue, alone,
                 [&](int part, int64_t index, int64_t, int64_t next) { task(part, index, next); });
}

/** Rows of [tokens, heads, headDim] that attention begins with and ends with, and what lies between them. */
struct AttentionRows {
  const float* q;
  float* z;
  float scale;
  // Room for one query's scores in the thread's scratch, of which up to kQueryBlock are needed.
  int64_t scoreStride;
};

/** Scores, softmax and weighted values of a block whose first token is `token`. */
inline void attend(const AttentionRows& rows, void* threadScratch, int64_t token, QueryBlock& block,
                   const AttentionShape& shape, const CacheView& cache) {
  for (int query = 0; query < block.queries; ++query) {
    const int64_t row = ((token + query) * shape.heads + block.head) * shape.headDim;
    block.q[query] = rows.q + row;
    block.scores[query] = static_cast<float*>(threadScratch) + query * rows.scoreStride;
    block.z[query] = rows.z + row;
  }
  attentionScores(block, shape, cache, rows.scale);
  for (int query = 0; query < block.queries; ++query) {
    softmaxRow(block.scores[query], block.scores[query], block.counts[query]);
  }
  attentionWeightedValues(block, shape, cache);
}

/** Bytes that forEachQueryBlock uses at the start of the shared scratch, rounded up to a cache line. */
PERSIMMON_INLINE size_t queryBlockScratch(const ThreadPool& pool, const AttentionShape& shape) {
  const size_t starts = static_cast<size_t>(shape.tokens + 1) * sizeof(int64_t);
  return (static_cast<size_t>(pool.size()) * sizeof(CacheAhead) + starts + 63) / 64 * 64;
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
