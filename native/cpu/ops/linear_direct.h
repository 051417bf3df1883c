// linear for a few rows: the weights stream from memory once, and nothing else matters.
//
// A thread takes a piece of the outputs. Side by side it goes through it N outputs at a time, each fetched
// kAheadBytes ahead of its use, at the end of a group in the next one. One or two short rows may instead take
// one output after another, fetched kSequentialAheadBytes ahead (ReadOrder). Two threads, 4096 inputs in
// bfloat16, one row, GB/s, medians of five to eleven interleaved runs:
// A Zen 5 server that read 63 to 70: 6 outputs side by side 58-61, 5 as many, 8 51-55; fetched 512 bytes
// ahead 56-60, 2048 bytes like 1024; the next group fetched in order of address instead 45-48; one after
// another, with two sums each, 47-60.
//
// Another that read 48 to 51: 6 side by side 41-42, 4 43-44, 2 40; the next group of 2 fetched in order of
// address 48, of 4 47, of 6 45; one after another 48-51, fetched 1 to 4 KiB ahead alike. While it read 60 to
// 69: 6 side by side 52-55, one after another 57-60, fetched 4 KiB ahead 64.
//
// With 8192 inputs or more the activations come from the second-level cache for every output: one after
// another 45, 6 side by side 49.
#pragma once

#include "cpu/ops/linear_pieces.h"
#include "cpu/ops/linear_tile.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// Rows that go side by side. More than one group goes through a piece of the weights that stays in the
// second-level cache, up to kDirectRows; with more rows, packing (linear_blocked.h) pays, and on AVX-512 a
// stream (linear_stream.h).
#if defined(__AVX512F__)
constexpr int64_t kDirectGroup = 4, kDirectRows = 4;
#else
constexpr int64_t kDirectGroup = 2, kDirectRows = 8;
#endif

constexpr int64_t kAheadBytes = 1024;

// Two rows of 16 KiB and the weights share 48 KiB of first-level cache.
constexpr int64_t kSequentialRows = 2, kSequentialRowBytes = 16384, kSequentialAheadBytes = 4096;

template <class X>
struct DirectLinear {
  float* out;
  const X* x;
  Weight bias;
  int64_t inFeatures, outFeatures;
};

/** Outputs [begin, end) of M rows, one after another, so that a thread reads in order of address. */
template <int M, class X, class T>
PERSIMMON_INLINE void sequentialOutputs(const DirectLinear<X>& problem, const T* weight, int64_t begin,
                                        int64_t end) {
  constexpr int64_t kAhead = kSequentialAheadBytes / static_cast<int64_t>(sizeof(T));
  const int64_t inFeatures = problem.inFeatures, whole = inFeatures / kStepInputs<X> * kStepInputs<X>;
  for (int64_t o = begin; o < end; ++o) {
    Vec sums[M][1];
    zeroSums(sums);
    const T* w = weight + o * inFeatures;
    addProductsAhead(sums, problem.x, w, inFeatures, 0, whole, w + kAhead);
    if (whole < inFeatures) {
      addLastProducts(sums, problem.x + whole, inFeatures, w + whole, inFeatures,
                      static_cast<int>(inFeatures - whole));
    }
    storeSums(sums, problem.out + o, problem.outFeatures, problem.bias, o, 1);
  }
}

/** Outputs [begin, end) of M rows. `next`: the weights that this thread will want after them. */
template <int M, int N, class X, class T>
PERSIMMON_INLINE void directOutputs(const DirectLinear<X>& problem, const T* weight, int64_t begin,
                                    int64_t end, const T* next) {
  const int64_t inFeatures = problem.inFeatures, whole = inFeatures / kStepInputs<X> * kStepInputs<X>;
  constexpr int64_t kAhead = kAheadBytes / static_cast<int64_t>(sizeof(T));
  // Up to here what lies ahead belongs to the group in work.
  const int64_t sameGroup = whole < kAhead ? 0 : (whole - kAhead) / (2 * kLanes) * (2 * kLanes);
  int64_t o = begin;
  for (; o + N <= end; o += N) {
    Vec sums[M][N];
    zeroSums(sums);
    const T* w = weight + o * inFeatures;
    const T* ahead = o + 2 * N <= end ? w + N * inFeatures : next;
    addProductsAhead(sums, problem.x, w, inFeatures, 0, sameGroup, w + kAhead);
    addProductsAhead(sums, problem.x, w, inFeatures, sameGroup, whole, ahead);
    if (whole < inFeatures) {
      addLastProducts(sums, problem.x + whole, inFeatures, w + whole, inFeatures,
                      static_cast<int>(inFeatures - whole));
    }
    storeSums(sums, problem.out + o, problem.outFeatures, problem.bias, o, N);
  }
  sequentialOutputs<M>(problem, weight, o, end);
}

/** One row or two. */
template <class X, class T>
void linearSequential(ThreadPool& pool, const DirectLinear<X>& problem, int64_t rows, const T* weight) {
  const int64_t rowBytes = problem.inFeatures * static_cast<int64_t>(sizeof(T));
  TaperedQueue queue = longPieces(problem.outFeatures, rowBytes, 1, pool.size());
  pool.parallel([&](int, int) {
    int64_t begin, end;
    while (queue.take(&begin, &end)) {
      if (rows == 1) {
        sequentialOutputs<1>(problem, weight, begin, end);
      } else {
        sequentialOutputs<2>(problem, weight, begin, end);
      }
    }
  });
}

/** Outputs [begin, end) of a group of rows. */
template <class X, class T>
void directGroup(const DirectLinear<X>& problem, int64_t rows, const T* weight, int64_t begin, int64_t end,
                 const T* next) {
#if defined(__AVX512F__)
  if (rows == 1) {
    directOutputs<1, 6>(problem, weight, begin, end, next);
  } else if (rows == 2) {
    directOutputs<2, 8>(problem, weight, begin, end, next);
  } else if (rows == 3) {
    directOutputs<3, 8>(problem, weight, begin, end, next);
  } else {
    directOutputs<4, 6>(problem, weight, begin, end, next);
  }
#else
  if (rows == 1) {
    directOutputs<1, 4>(problem, weight, begin, end, next);
  } else {
    directOutputs<2, 2>(problem, weight, begin, end, next);
  }
#endif
}

/** All rows, in groups. Only the first group waits for memory, so only it fetches `next`. */
template <class X, class T>
void directRows(DirectLinear<X> problem, int64_t rows, const T* weight, int64_t begin, int64_t end,
                const T* next) {
  for (int64_t row = 0; row < rows; row += kDirectGroup) {
    const int64_t group = rows - row < kDirectGroup ? rows - row : kDirectGroup;
    directGroup(problem, group, weight, begin, end, next);
    problem.x += group * problem.inFeatures;
    problem.out += group * problem.outFeatures;
    next = weight + begin * problem.inFeatures;
  }
}

/** Pieces of outputs, many outputs side by side. */
template <class X, class T>
void linearSideBySide(ThreadPool& pool, const DirectLinear<X>& problem, int64_t rows, const T* weight,
                      bool alone) {
  const int64_t rowBytes = problem.inFeatures * static_cast<int64_t>(sizeof(T));
  // A piece for several groups of rows waits for them in the second-level cache.
  const int64_t outputBytes = rows <= kDirectGroup ? rowBytes : 4 * rowBytes;
  // Of 24 outputs, so that groups of 4, 6 and 8 leave no rest.
  TaperedQueue queue = longPieces(problem.outFeatures, outputBytes, 24, pool.size());
  eachPieceAhead(pool, queue, alone, [&](int, int64_t begin, int64_t end, int64_t next) {
    directRows(problem, rows, weight, begin, end, weight + next * problem.inFeatures);
  });
}

/** Rows <= kDirectRows. */
template <class X, class T>
void linearDirect(ThreadPool& pool, const DirectLinear<X>& problem, int64_t rows, const T* weight) {
  const int64_t inputs = problem.inFeatures, outputs = problem.outFeatures;
  const bool alone = outputs * inputs * static_cast<int64_t>(sizeof(T)) <= kOneThreadBytes;
  if (alone || rows > kSequentialRows || inputs * static_cast<int64_t>(sizeof(X)) > kSequentialRowBytes) {
    linearSideBySide(pool, problem, rows, weight, alone);
    return;
  }
  pool.readOrder(8 * sizeof(T)).run({rows, inputs, outputs}, [&](ReadOrder order) {
    if (order == ReadOrder::kSideBySide) {
      linearSideBySide(pool, problem, rows, weight, false);
    } else {
      linearSequential(pool, problem, rows, weight);
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
