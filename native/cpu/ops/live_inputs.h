// Products that leave out the inputs that are zero: which ones are not, and how the outputs are shared among
// threads.
#pragma once

#include <cstring>

#include "core/thread_pool.h"
#include "cpu/ops/linear_pieces.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// Outputs whose sums wait in the first-level cache, for all rows together.
constexpr int64_t kWaitingSums = 4096;

/** The inputs that are not zero in every row, chunk by chunk: those of chunk c are inputs[starts[c]..starts[c
 * + 1]). */
struct LiveInputs {
  int64_t* starts;
  int32_t* inputs;
};

// Inputs that are looked at together; chunks and parts are multiples.
constexpr int64_t kLookedAt = 16;

/** Writes which of inputs [first, first + 16) are not zero in every row to `found`, which has room for 16.
 * Returns how many. */
PERSIMMON_INLINE int64_t appendLive(int32_t* found, const float* x, int64_t rows, int64_t inFeatures,
                                    int64_t first) {
  const int64_t n = inFeatures - first < kLookedAt ? inFeatures - first : kLookedAt;
#if defined(__AVX512F__)
  const __mmask16 lanes = firstLanes(static_cast<int>(n));
  __m512i any = _mm512_setzero_si512();
  for (int64_t row = 0; row < rows; ++row) {
    any = _mm512_or_si512(any, _mm512_maskz_loadu_epi32(lanes, x + row * inFeatures + first));
  }
  const __m512i magnitude = _mm512_set1_epi32(0x7FFFFFFF);  // -0 is zero too
  const __mmask16 live = _mm512_test_epi32_mask(any, magnitude);
  const __m512i inputs =
      _mm512_add_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                       _mm512_set1_epi32(static_cast<int32_t>(first)));
  _mm512_storeu_si512(found, _mm512_maskz_compress_epi32(live, inputs));
  return __builtin_popcount(live);
#else
  uint32_t any[kLookedAt] = {};
  for (int64_t row = 0; row < rows; ++row) {
    uint32_t bits[kLookedAt];
    std::memcpy(bits, x + row * inFeatures + first, static_cast<size_t>(n) * sizeof(float));
    for (int64_t i = 0; i < n; ++i) any[i] |= bits[i] << 1;  // -0 is zero too
  }
  int64_t count = 0;
  for (int64_t i = 0; i < n; ++i) {
    found[count] = static_cast<int32_t>(first + i);
    count += any[i] != 0;
  }
  return count;
#endif
}

/** Chunks of `chunkInputs` inputs, a multiple of 16, at least one chunk. */
inline void findLive(LiveInputs live, const float* x, int64_t rows, int64_t inFeatures, int64_t chunkInputs) {
  int64_t found = 0, chunk = 0;
  do {
    live.starts[chunk] = found;
    const int64_t begin = chunk * chunkInputs, left = inFeatures - begin;
    const int64_t end = begin + (left < chunkInputs ? left : chunkInputs);
    for (int64_t first = begin; first < end; first += kLookedAt) {
      found += appendLive(live.inputs + found, x, rows, inFeatures, first);
    }
  } while (++chunk * chunkInputs < inFeatures);
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
  chunks = chunks < 1 ? 1 : chunks;
  const auto lists = static_cast<size_t>(chunks + 1) * sizeof(int64_t) +
                     static_cast<size_t>(inFeatures + kLookedAt) * sizeof(int32_t);
  pool.reserveScratch(before + lists, static_cast<size_t>(perThread) * sizeof(float));
  auto* starts = reinterpret_cast<int64_t*>(static_cast<unsigned char*>(pool.sharedScratch()) + before);
  return {starts, reinterpret_cast<int32_t*>(starts + chunks + 1)};
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
