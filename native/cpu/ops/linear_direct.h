// linear for a few rows: the weights stream from memory once, and nothing else matters.
//
// A thread takes a piece of the outputs and goes through it N outputs at a time. The N rows of weights lie
// one after another in memory but are read side by side, and N streams at once reached only 66 % of a
// thread's read bandwidth. So the group after the one in work is fetched in order of address meanwhile, which
// the memory sees as one stream. One thread on a Zen 5 server core, 4096 inputs, GB/s (pure read 40): 8
// outputs 26; the same, each row fetched 512 or 1024 inputs ahead 27; 8 outputs with the next group in order
// 32-34, 4 outputs 33 (16384 inputs: 34 and 30); 1 output with four sums 40, but four sums per output would
// leave no registers for a tile of rows in prefill, whose sums must be the same.
#pragma once

#include "cpu/ops/linear_pieces.h"
#include "cpu/ops/linear_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

#if defined(__AVX512F__)
constexpr int64_t kDirectGroup = 4;
#else
constexpr int64_t kDirectGroup = 2;
#endif

// Up to here rows go in groups of kDirectGroup through a piece of the weights that stays in the second-level
// cache; with more rows, packing (linear_blocked.h) pays.
constexpr int64_t kDirectRows = 4 * kDirectGroup;

struct DirectLinear {
  float* out;
  const float* x;
  Weight bias;
  int64_t inFeatures, outFeatures;
};

/** Outputs [begin, end) of M rows. `next`: the weights that this thread will want after them. */
template <int M, int N, class T>
PERSIMMON_INLINE void directOutputs(const DirectLinear& problem, const T* weight, int64_t begin, int64_t end,
                                    const T* next) {
  const int64_t inFeatures = problem.inFeatures, whole = inFeatures / kLanes * kLanes;
  int64_t o = begin;
  for (; o + N <= end; o += N) {
    Vec sums[M][N];
    zeroSums(sums);
    const T* w = weight + o * inFeatures;
    const T* ahead = o + 2 * N <= end ? w + N * inFeatures : next;
    addProductsAhead(sums, problem.x, w, inFeatures, reinterpret_cast<const unsigned char*>(ahead));
    if (whole < inFeatures) {
      addLastProducts(sums, problem.x + whole, inFeatures, w + whole, inFeatures,
                      static_cast<int>(inFeatures - whole));
    }
    storeSums(sums, problem.out + o, problem.outFeatures, problem.bias, o, N);
  }
  if constexpr (N > 1) {
    if (o < end) directOutputs<M, 1>(problem, weight, o, end, next);
  }
}

/** All rows, in groups. Only the first group waits for memory, so only it fetches `next`. */
template <class T>
void directRows(DirectLinear problem, int64_t rows, const T* weight, int64_t begin, int64_t end,
                const T* next) {
  for (int64_t row = 0; row < rows; row += kDirectGroup) {
    const int64_t group = rows - row < kDirectGroup ? rows - row : kDirectGroup;
#if defined(__AVX512F__)
    if (group == 1) {
      directOutputs<1, 8>(problem, weight, begin, end, next);
    } else if (group == 2) {
      directOutputs<2, 8>(problem, weight, begin, end, next);
    } else if (group == 3) {
      directOutputs<3, 8>(problem, weight, begin, end, next);
    } else {
      directOutputs<4, 6>(problem, weight, begin, end, next);
    }
#else
    if (group == 1) {
      directOutputs<1, 4>(problem, weight, begin, end, next);
    } else {
      directOutputs<2, 2>(problem, weight, begin, end, next);
    }
#endif
    problem.x += group * problem.inFeatures;
    problem.out += group * problem.outFeatures;
    next = weight + begin * problem.inFeatures;
  }
}

/** Rows <= kDirectRows. */
template <class T>
void linearDirect(ThreadPool& pool, const DirectLinear& problem, int64_t rows, const T* weight) {
  // A multiple of 24, so that groups of 4, 6 and 8 outputs leave no rest.
  const int64_t rowBytes = problem.inFeatures * static_cast<int64_t>(sizeof(T));
  const int64_t grain = (kPieceBytes / (rowBytes > 0 ? rowBytes : 1) + 24) / 24 * 24;
  ChunkQueue queue(problem.outFeatures, grain);
  const auto work = [&](int, int) {
    // A piece is taken before the last one is done, so that its first group can be fetched in time.
    int64_t begin, end, nextBegin, nextEnd;
    bool any = queue.take(&begin, &end);
    while (any) {
      any = queue.take(&nextBegin, &nextEnd);
      directRows(problem, rows, weight, begin, end, weight + (any ? nextBegin : begin) * problem.inFeatures);
      begin = nextBegin;
      end = nextEnd;
    }
  };
  if (problem.outFeatures * rowBytes <= kOneThreadBytes) {
    work(0, 1);
  } else {
    pool.parallel(work);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
