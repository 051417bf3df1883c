// Cuts attention into blocks of queries and gives them to the threads.
#pragma once

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
                       const int32_t* sequences, F&& f) {
  // Blocks start where a sequence does and every kQueryBlock tokens after that: listed in the shared scratch
  // by the caller of this function, who reserved tokens + 1 of them at its start.
  auto* starts = static_cast<int64_t*>(pool.sharedScratch());
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
  const auto task = [&](int part, int64_t index, int64_t next) {
    const int64_t i = blockOf(index);
    QueryBlock block;
    block.head = headOf(index);
    block.queries = static_cast<int>(starts[i + 1] - starts[i]);
    block.sequence = sequences[starts[i]];
    if (next != index) {
      block.nextHead = headOf(next);
      block.nextSequence = sequences[starts[blockOf(next)]];
    }
    for (int query = 0; query < block.queries; ++query)
      block.counts[query] = positions[starts[i] + query] + int64_t{1};
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

/** Bytes that forEachQueryBlock uses at the start of the shared scratch, rounded up to a cache line. */
PERSIMMON_INLINE size_t queryBlockScratch(const AttentionShape& shape) {
  return (static_cast<size_t>(shape.tokens + 1) * sizeof(int64_t) + 63) / 64 * 64;
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
