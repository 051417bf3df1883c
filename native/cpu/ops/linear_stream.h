// linear for a batch of rows: the weights of some outputs over some steps of inputs stay in registers while
// all rows pass, so each is loaded once, from memory, all the time. With tiles (linear_blocked.h) the first
// rows would wait for memory and the others would not use it, and the two times add up.
//
// Activations are packed as [block of kStreamSteps steps][row][the inputs of a step]. The unfinished sums of
// a group of outputs (sixteen lanes each) wait in the first-level cache, [row][output], in the order of an
// uninterrupted sum. The weights that come later are fetched a few lines with each row: two threads of a Zen
// 5 server, 16 rows of 4096 x 16384 in bfloat16, rounded activations, five runs interleaved: 4.1 ms, with all
// lines of a block fetched at once 4.7, into the second-level cache 6.5, not at all 6.0, in tiles 5.6.
//
// Few rows fetch the weights of the next group in order of address, where the others fetch each row of
// weights a little ahead. Another such server, 47 to 50 GB/s, seven runs interleaved, rounded activations,
// before and after: 5 rows of 4096 x 16384 4.2 and 3.5 ms, 8 4.0 and 3.4, 16 3.5 and 3.3, but 24 4.4 and 4.6;
// of 16384 x 4096 8 3.6 and 3.4, but 16 3.4 and 3.7, whose activations take half of the second-level cache.
#pragma once

#include <cstring>

#include "cpu/ops/linear_blocked.h"
#include "cpu/ops/linear_pieces.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// Rows from which it is faster than going directly (linear_direct.h), and up to which it is faster than
// tiles: the activations come from the second-level cache once for each group of outputs.
#if defined(__AVX512F__)
constexpr int64_t kLeastStreamRows = 5, kMostStreamRows = 48;
#else
// 16 registers, or 32 short ones, hold too few weights.
constexpr int64_t kLeastStreamRows = 1, kMostStreamRows = 0;
#endif
constexpr int kStreamOutputs = 6, kStreamSteps = 4;
constexpr int64_t kStreamAheadBytes = 1024;
// Up to so many, with activations of up to so many bytes, the next group is fetched in order.
constexpr int64_t kInOrderRows = 16, kInOrderBytes = 1 << 18;

/** Lines of memory to fetch, so many of each row of weights. */
template <int64_t kLines>
struct LinesAhead {
  const uint8_t* weights;
  int64_t rowBytes, end;
  int64_t next = 0;

  PERSIMMON_INLINE void fetch(int64_t count) {
    for (; count > 0 && next < end; --count, ++next) {
      __builtin_prefetch(weights + next / kLines * rowBytes + next % kLines * 64, 0, 3);
    }
  }
};

/** sums[row][output] += x[row][step] * w, for all rows; fetches `each` lines with every row. */
template <int N, int S, class X, class W, class Ahead>
PERSIMMON_INLINE void addToRows(float* sums, const X* x, int64_t rows, const W (&w)[N][S], Ahead& ahead,
                                int64_t each) {
  for (int64_t row = 0; row < rows; ++row, sums += N * kLanes, x += S * kStepInputs<X>) {
    ahead.fetch(each);
    Vec sum[N];
    PERSIMMON_UNROLL
    for (int n = 0; n < N; ++n) sum[n] = load(sums + n * kLanes);
    PERSIMMON_UNROLL
    for (int s = 0; s < S; ++s) {
      const auto a = Step<X>::load(x + s * kStepInputs<X>);
      PERSIMMON_UNROLL
      for (int n = 0; n < N; ++n) sum[n] = fma(a, w[n][s], sum[n]);
    }
    PERSIMMON_UNROLL
    for (int n = 0; n < N; ++n) store(sums + n * kLanes, sum[n]);
  }
}

template <class X>
struct StreamLinear {
  float* out;
  const X* packedRows;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;
  /** Whether the weights of the next outputs are fetched in order of address. */
  bool inOrder() const {
    return rows <= kInOrderRows && rows * inFeatures * static_cast<int64_t>(sizeof(X)) <= kInOrderBytes;
  }
};

/** Outputs [o, o + N) of all rows; meanwhile the first weights are fetched of the N outputs at `next`. */
template <int N, class X, class T>
PERSIMMON_INLINE void streamOutputs(const StreamLinear<X>& problem, float* sums, const T* weight, int64_t o,
                                    const T* next) {
  constexpr int64_t kInputs = kStepInputs<X>, kBlock = kStreamSteps * kInputs;
  constexpr int64_t kBytes = static_cast<int64_t>(sizeof(T)), kLines = kBlock * kBytes / 64;
  constexpr int64_t kAhead = kStreamAheadBytes / kBytes;
  const int64_t rows = problem.rows, inFeatures = problem.inFeatures, count = rows * N;
  const int64_t whole = inFeatures / kBlock * kBlock, each = (N * kLines + rows - 1) / rows;
  const bool inOrder = problem.inOrder();
  const int64_t rowBytes = inOrder ? kLines * 64 : inFeatures * kBytes;
  const T* w = weight + o * inFeatures;
  const X* x = problem.packedRows;
  std::memset(sums, 0, static_cast<size_t>((count + kLanes - 1) / kLanes * kLanes * kLanes) * sizeof(float));
  using W = decltype(Step<X>::load(w));
  for (int64_t k = 0; k < whole; k += kBlock, x += rows * kBlock) {
    const T* later = inOrder              ? next + k * N
                     : k + kAhead < whole ? w + k + kAhead
                                          : next + (k + kAhead - whole);
    LinesAhead<kLines> ahead = {reinterpret_cast<const uint8_t*>(later), rowBytes, N * kLines};
    W block[N][kStreamSteps];
    PERSIMMON_UNROLL
    for (int n = 0; n < N; ++n) {
      PERSIMMON_UNROLL
      for (int s = 0; s < kStreamSteps; ++s)
        block[n][s] = Step<X>::load(w + n * inFeatures + k + s * kInputs);
    }
    addToRows(sums, x, rows, block, ahead, each);
  }
  LinesAhead<kLines> nothing = {nullptr, 0, 0};
  for (int64_t k = whole; k < inFeatures; k += kInputs, x += rows * kInputs) {
    const int left = static_cast<int>(inFeatures - k < kInputs ? inFeatures - k : kInputs);
    W step[N][1];
    PERSIMMON_UNROLL
    for (int n = 0; n < N; ++n) {
      const T* at = w + n * inFeatures + k;
      step[n][0] = left == kInputs ? Step<X>::load(at) : Step<X>::loadPartial(at, left);
    }
    addToRows(sums, x, rows, step, nothing, 0);
  }
  for (int64_t i = 0; i < count; i += kLanes) {
    Vec part[kLanes];
    for (int j = 0; j < kLanes; ++j) part[j] = load(sums + (i + j) * kLanes);
    float totals[kLanes];
    store(totals, reduceAdd16(part));
    for (int64_t j = i; j < count && j < i + kLanes; ++j) {
      const int64_t output = o + j % N;
      const float total = totals[j - i];
      problem.out[j / N * problem.outFeatures + output] =
          problem.bias.data == nullptr ? total : total + elementOrZero(problem.bias, output);
    }
  }
}

/** Outputs [begin, end). `next`: the weights that this thread will want after them. */
template <class X, class T>
void streamPiece(const StreamLinear<X>& problem, float* sums, const T* weight, int64_t begin, int64_t end,
                 const T* next) {
  int64_t o = begin;
  for (; o + kStreamOutputs <= end; o += kStreamOutputs) {
    const int64_t after = o + kStreamOutputs;
    const T* following = after + kStreamOutputs <= end ? weight + after * problem.inFeatures : next;
    streamOutputs<kStreamOutputs>(problem, sums, weight, o, following);
  }
  for (; o < end; ++o) streamOutputs<1>(problem, sums, weight, o, weight + o * problem.inFeatures);
}

/** Packs blocks of inputs of all rows; what is left of the inputs in steps. */
template <class X>
const X* packForStream(ThreadPool& pool, const float* x, int64_t rows, int64_t inFeatures) {
  constexpr int64_t kInputs = kStepInputs<X>, kBlock = kStreamSteps * kInputs;
  const int64_t steps = (inFeatures + kInputs - 1) / kInputs, whole = inFeatures / kBlock * kBlock;
  const int64_t sums = (rows * kStreamOutputs + kLanes - 1) / kLanes * kLanes * kLanes;
  pool.reserveScratch(static_cast<size_t>(steps * rows * kInputs) * sizeof(X),
                      static_cast<size_t>(sums) * sizeof(float));
  auto* packed = static_cast<X*>(pool.sharedScratch());
  constexpr int64_t kGrain = 8;
  parallelChunks(pool, (steps + kStreamSteps - 1) / kStreamSteps, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t k = begin * kBlock; k < end * kBlock && k < inFeatures; k += kInputs) {
      const bool isWhole = k < whole;
      const int64_t first = isWhole ? k / kBlock * kBlock : k, stride = isWhole ? kBlock : kInputs;
      X* target = packed + first * rows + (k - first);
      for (int64_t row = 0; row < rows; ++row) {
        packStep(target + row * stride, x + row * inFeatures + k, inFeatures - k);
      }
    }
  });
  return packed;
}

/** Rows from kLeastStreamRows to kMostStreamRows. */
template <class X, class T>
void linearStream(ThreadPool& pool, float* out, const float* x, const T* weight, Weight bias, int64_t rows,
                  int64_t inFeatures, int64_t outFeatures) {
  const X* packed = packForStream<X>(pool, x, rows, inFeatures);
  const StreamLinear<X> problem = {out, packed, bias, rows, inFeatures, outFeatures};
  const int64_t rowBytes = inFeatures * static_cast<int64_t>(sizeof(T));
  TaperedQueue queue = longPieces(outFeatures, rowBytes, 4 * kStreamOutputs, pool.size());
  eachPieceAhead(pool, queue, outFeatures * rowBytes <= kOneThreadBytes,
                 [&](int part, int64_t begin, int64_t end, int64_t next) {
                   auto* sums = static_cast<float*>(pool.threadScratch(part));
                   streamPiece(problem, sums, weight, begin, end, weight + next * inFeatures);
                 });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
