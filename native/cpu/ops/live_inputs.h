// Products that leave out the inputs that are zero: which ones are not, and how the outputs are shared among
// threads.
#pragma once

#include <cstring>

#include "core/thread_pool.h"
#include "cpu/ops/linear_pieces.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// Outputs whose sums wait in the first-level cache, for all rows together.
constexpr int64_t kWaitingSums = 4096;

/** The inputs that are not zero in every row, chunk by chunk: those of chunk c are inputs[starts[c]..starts[c
 * + 1]). */
struct LiveInputs {
  int64_t* starts;
  int32_t* inputs;
};

/** Chunks of `chunkInputs` inputs, at least one. */
inline void findLive(LiveInputs live, const float* x, int64_t rows, int64_t inFeatures, int64_t chunkInputs) {
  constexpr int64_t kBlock = 64;
  int64_t found = 0, chunk = 0, boundary = 0;
  for (int64_t begin = 0; begin < inFeatures; begin += kBlock) {
    const int64_t n = inFeatures - begin < kBlock ? inFeatures - begin : kBlock;
    uint32_t any[kBlock] = {};
    for (int64_t row = 0; row < rows; ++row) {
      uint32_t bits[kBlock];
      std::memcpy(bits, x + row * inFeatures + begin, static_cast<size_t>(n) * sizeof(float));
      for (int64_t i = 0; i < n; ++i) any[i] |= bits[i] << 1;  // -0 is zero too
    }
    for (int64_t i = 0; i < n; ++i) {
      if (begin + i == boundary) {
        live.starts[chunk++] = found;
        boundary += chunkInputs;
      }
      live.inputs[found] = static_cast<int32_t>(begin + i);
      found += any[i] != 0;
    }
  }
  if (inFeatures == 0) live.starts[chunk++] = 0;
  live.starts[chunk] = found;
}

/** Outputs of a piece. Long, because every live input begins a piece anew; but so that there are `pieces`,
 * for threads to finish together. */
inline int64_t pieceOutputs(int64_t outFeatures, int64_t rows, int64_t pieces) {
  const int64_t share = outFeatures / pieces, most = kWaitingSums / rows;
  const int64_t wanted = (share < most ? share : most) / 64 * 64;
  return wanted < 64 ? 64 : wanted;
}

/** Calls f(scratch, piece) for every piece of work; on one thread where two cost more than they bring. */
template <class F>
void eachPiece(ThreadPool& pool, int64_t pieces, bool alone, const F& f) {
  ChunkQueue queue(pieces, 1);
  const auto work = [&](int part, int) {
    int64_t piece, next;
    while (queue.take(&piece, &next)) f(static_cast<float*>(pool.threadScratch(part)), piece);
  };
  if (alone) {
    work(0, 1);
  } else {
    pool.parallel(work);
  }
}

/** Room for the live inputs in `chunks` chunks, `perThread` floats for each thread, and `shared` floats,
 * which begin where pool.sharedScratch() does. */
inline LiveInputs reserveLive(ThreadPool& pool, int64_t inFeatures, int64_t chunks, int64_t perThread,
                              int64_t shared = 0) {
  const auto before = static_cast<size_t>((shared + 1) / 2 * 2) * sizeof(float);  // the lists are aligned
  const auto lists = static_cast<size_t>(chunks + 1) * sizeof(int64_t) +
                     static_cast<size_t>(inFeatures + 1) * sizeof(int32_t);
  pool.reserveScratch(before + lists, static_cast<size_t>(perThread) * sizeof(float));
  auto* starts = reinterpret_cast<int64_t*>(static_cast<unsigned char*>(pool.sharedScratch()) + before);
  return {starts, reinterpret_cast<int32_t*>(starts + chunks + 1)};
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
