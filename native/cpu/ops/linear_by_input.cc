// Matrix products with weights that are stored by input, [inFeatures, outFeatures]: an input that is zero in
// all rows is not read. After squared ReLU nine inputs in ten are.
//
// Leaving out a zero changes no bit: a sum starts at +0, and adding 0 * weight to it gives it back. (Weights
// that are not finite are kept in the other order, see Tensor.) A sum is taken in chunks of kInnerChunk
// inputs, in order (int4: of a group of 32, then scaled), so every number of rows and of threads gives the
// same bits; they differ in rounding from those of linear.cc, and take activations of int8 and int4 in
// float32, or in bfloat16 where MatmulPrecision::kMedium is wanted and pairs are faster.
//
// Bytes: the weights of live inputs once for few rows, all of them once per kPanelRows rows for more. One row
// of 16384 inputs, 4096 outputs, a tenth of the inputs live, 2 threads of a Zen 5 server that reads 58 to 70
// GB/s: bfloat16 26-33 GB/s, int8 19-25, int4 20-29, because every live input is a short read somewhere else.
// 512 rows: in float32 215 ms (320 GFLOP/s), in pairs 123 (556), on a machine whose vector units ran at half
// their rate.
#include <algorithm>
#include <cstring>
#include <type_traits>

#include "cpu/ops/int4_pairs.h"
#include "cpu/ops/live_inputs.h"
#include "cpu/ops/matmul_panel.h"
#include "cpu/ops/rounded_inputs.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

constexpr int64_t kFewRows = 16;
// Rows times the share of live inputs from which on reading everything is faster, because each live input
// goes over the sums of all rows. Two threads of a Zen 5 server, 16384 x 4096 in bfloat16, all inputs live: 4
// rows 5.8 and 7.2 ms, 6 7.8 and 7.9, 8 9.9 and 8.1, 12 14.4 and 9.8, 16 21.7 and 11.1.
constexpr int64_t kFewLiveRows = 6;
constexpr int64_t kPanelsAtOnce = 4;
// Inputs that go over the waiting sums together. Their weights lie far apart, so those of the next group are
// fetched meanwhile.
constexpr int kGroup = 4;
template <class T>
struct ByInput {
  float* out;
  const float* x;
  const T* weight;
  const float* scales;
  Weight bias;
  int64_t rows, inFeatures, outFeatures;
  LiveInputs live;
};

/** sums[i] += x[0] * w[0][i] + ... + x[N - 1] * w[N - 1][i], in this order; fetches as many of `next`. */
template <int N, class T>
PERSIMMON_INLINE void addInputs(float* sums, const float (&x)[N], const T* const (&w)[N],
                                const T* const (&next)[N], int64_t columns) {
  Vec factor[N];
  for (int n = 0; n < N; ++n) factor[n] = broadcast(x[n]);
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  int64_t i = 0;
  for (; i + kLine <= columns; i += kLine) {
    for (int n = 0; n < N; ++n) __builtin_prefetch(next[n] + i, 0, 3);
    for (int64_t j = i; j < i + kLine; j += kLanes) {
      Vec sum = load(sums + j);
      for (int n = 0; n < N; ++n) sum = fma(factor[n], load(w[n] + j), sum);
      store(sums + j, sum);
    }
  }
  for (; i < columns; i += kLanes) {
    Vec sum = load(sums + i);
    for (int n = 0; n < N; ++n) sum = fma(factor[n], loadUpTo(w[n] + i, columns - i), sum);
    store(sums + i, sum);
  }
}

/** A group of N live inputs for all rows; `next` are the inputs after them. */
template <int N, class T>
PERSIMMON_INLINE void addGroup(const ByInput<T>& problem, float* sums, int64_t room, const int32_t* inputs,
                               const int32_t* next, int64_t column, int64_t columns) {
  const T *w[N], *ahead[N];
  for (int n = 0; n < N; ++n) {
    w[n] = problem.weight + inputs[n] * problem.outFeatures + column;
    ahead[n] = problem.weight + next[n] * problem.outFeatures + column;
  }
  for (int64_t row = 0; row < problem.rows; ++row) {
    float x[N];
    for (int n = 0; n < N; ++n) x[n] = problem.x[row * problem.inFeatures + inputs[n]];
    addInputs<N>(sums + row * room, x, w, ahead, columns);
  }
}

/** Outputs [column, column + columns) of a few rows; `sums` has room for `room` of each, a multiple of
 * sixteen. */
template <class T>
void streamOutputs(const ByInput<T>& problem, float* sums, int64_t room, int64_t column, int64_t columns) {
  const int64_t chunks = (problem.inFeatures + kInnerChunk - 1) / kInnerChunk;
  const int64_t end = problem.live.starts[chunks];
  for (int64_t row = 0; row < problem.rows; ++row) {
    std::memset(problem.out + row * problem.outFeatures + column, 0,
                static_cast<size_t>(columns) * sizeof(float));
  }
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t stop = problem.live.starts[chunk + 1];
    int64_t i = problem.live.starts[chunk];
    if (i == stop) continue;
    for (int64_t n = 0; n < problem.rows * room; n += kLanes) store(sums + n, zero());
    while (i < stop) {
      const int32_t* inputs = problem.live.inputs + i;
      if (stop - i >= kGroup) {
        const bool more = i + 2 * kGroup <= end;
        addGroup<kGroup>(problem, sums, room, inputs, more ? inputs + kGroup : inputs, column, columns);
        i += kGroup;
      } else {
        const bool more = i + 1 + kGroup <= end;
        addGroup<1>(problem, sums, room, inputs, more ? inputs + kGroup : inputs, column, columns);
        i += 1;
      }
    }
    for (int64_t row = 0; row < problem.rows; ++row) {
      float* out = problem.out + row * problem.outFeatures + column;
      for (int64_t n = 0; n < columns; n += kLanes) {
        storeUpTo(out + n, loadUpTo(out + n, columns - n) + load(sums + row * room + n), columns - n);
      }
    }
  }
}

/** Scales the sums and adds the bias. */
template <class T>
void finish(const ByInput<T>& problem, int64_t begin, int64_t end, int64_t column, int64_t columns) {
  const float* scales = problem.scales;
  const bool biased = problem.bias.data != nullptr;
  for (int64_t row = begin; row < end; ++row) {
    float* out = problem.out + row * problem.outFeatures + column;
    for (int64_t n = 0; n < columns; n += kLanes) {
      const int64_t left = columns - n;
      Vec sum = loadUpTo(out + n, left);
      if (scales != nullptr) sum = sum * loadUpTo(scales + column + n, left);
      // A sum that underflowed to -0 counts as 0: where zeros are left out it may be either.
      sum = sum + zero();
      if (biased) sum = sum + loadWeight(problem.bias, column + n, left);
      storeUpTo(out + n, sum, left);
    }
  }
}

template <class Rows, class T>
void panels(ThreadPool& pool, const ByInput<T>& problem, Rows x) {
  const int64_t columns = kPanelsAtOnce * kPanelColumns;
  const int64_t blocks = (problem.rows + kPanelRows - 1) / kPanelRows;
  const int64_t pieces = (problem.outFeatures + columns - 1) / columns;
  const Product<T, Rows> product = {problem.out, x, problem.weight, problem.inFeatures, problem.outFeatures};
  eachPiece(pool, blocks * pieces, false, [&](float* scratch, int64_t index) {
    const int64_t begin = index / pieces * kPanelRows, end = std::min(begin + kPanelRows, problem.rows);
    const int64_t column = index % pieces * columns;
    productPanels(product, scratch, begin, end, column, kPanelsAtOnce);
    finish(problem, begin, end, column, std::min(columns, problem.outFeatures - column));
  });
}

template <class T>
void manyRows(ThreadPool& pool, const ByInput<T>& problem) {
  const size_t panelBytes = kInnerChunk * kPanelsAtOnce * kPanelColumns * sizeof(float);
  const int64_t blocks = (problem.rows + kPanelRows - 1) / kPanelRows;
  pool.weightTraffic().read +=
      blocks * problem.inFeatures * problem.outFeatures * static_cast<int64_t>(sizeof(T));
  if constexpr (kHasPairs && !std::is_same_v<T, float>) {
    if (roundsInputs(pool)) {
      panels(pool, problem, pairedRows(pool, problem.x, problem.rows, problem.inFeatures, panelBytes));
      return;
    }
  }
  pool.reserveScratch(0, panelBytes);
  panels(pool, problem, StoredRows{problem.x, problem.inFeatures});
}

template <class T>
void fewRows(ThreadPool& pool, ByInput<T> problem) {
  const int64_t chunks = (problem.inFeatures + kInnerChunk - 1) / kInnerChunk;
  const int64_t bytes = problem.inFeatures * problem.outFeatures * static_cast<int64_t>(sizeof(T));
  const bool alone = bytes <= kOneThreadBytes;
  // Two pieces for each thread would be shared more evenly, but are slower by a fifth (Zen 5, two threads,
  // 16384 inputs of which a tenth is live, 4096 outputs: bfloat16 28 and 33 GB/s, int8 19 and 24, int4 23 and
  // 28).
  const int64_t room = pieceOutputs(problem.outFeatures, problem.rows, alone ? 1 : pool.size());
  // Of float32 weights they keep their digits, as in manyRows.
  const bool rounded = !std::is_same_v<T, float> && roundsInputs(pool);
  const int64_t inputs = problem.rows * problem.inFeatures;
  problem.live =
      reserveLive(pool, problem.inFeatures, chunks, problem.rows * room, rounded ? roundedFloats(inputs) : 0);
  findLive(problem.live, problem.x, problem.rows, problem.inFeatures, kInnerChunk);
  if (problem.live.starts[chunks] * problem.rows > kFewLiveRows * problem.inFeatures) {
    manyRows(pool, problem);
    return;
  }
  if (rounded) problem.x = roundInputs(pool, problem.x, inputs);
  const int64_t live = problem.live.starts[chunks] * problem.outFeatures * static_cast<int64_t>(sizeof(T));
  pool.weightTraffic().read += live;
  pool.weightTraffic().skipped += bytes - live;
  eachPiece(pool, (problem.outFeatures + room - 1) / room, alone, [&](float* sums, int64_t piece) {
    const int64_t column = piece * room, columns = std::min(room, problem.outFeatures - column);
    streamOutputs(problem, sums, room, column, columns);
    finish(problem, 0, problem.rows, column, columns);
  });
}

void int4ByInput(ThreadPool& pool, Int4ByInput problem) {
  const int64_t groups = problem.inFeatures / kGroupInputs, outputs = problem.outputs(), rows = problem.rows;
  const bool few = rows <= kFewRows;
  const int64_t scaleBytes = outputs * static_cast<int64_t>(sizeof(uint16_t));
  const int64_t bytes = problem.inFeatures * outputs / 2 + groups * scaleBytes;
  const bool alone = few && bytes <= kOneThreadBytes;
  const int64_t blockRows = few ? rows : kPanelRows, blocks = (rows + blockRows - 1) / blockRows;
  // As in fewRows, one long piece for each thread. Many rows find their sums in the second-level cache.
  const int64_t share =
      few ? std::min(outputs / (alone ? 1 : pool.size()), kWaitingSums / rows) : 4 * kInt4Unit;
  const int64_t room = std::max(share / (2 * kInt4Unit) * (2 * kInt4Unit), 2 * kInt4Unit);
  const bool rounded = roundsInputs(pool);
  const int64_t inputs = rows * problem.inFeatures;
  const int64_t perThread = blockRows * room + kGroupInputs * kInt4Unit;
  const LiveInputs live = problem.live =
      reserveLive(pool, problem.inFeatures, groups, perThread, rounded && few ? roundedFloats(inputs) : 0);
  if (few) {
    findLive(live, problem.x, rows, problem.inFeatures, kGroupInputs);
  } else {
    for (int64_t g = 0; g <= groups; ++g) live.starts[g] = g * kGroupInputs;
    for (int64_t k = 0; k < problem.inFeatures; ++k) live.inputs[k] = static_cast<int32_t>(k);
  }
  int64_t read = 0;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t inputs = live.starts[g + 1] - live.starts[g];
    read += inputs == 0 ? 0 : inputs * outputs / 2 + scaleBytes;
  }
  pool.weightTraffic().read += blocks * read;
  pool.weightTraffic().skipped += blocks * (bytes - read);
  if (rounded && few) problem.x = roundInputs(pool, problem.x, inputs);
  PairedRows pairs = {};
  if (rounded && !few) {
    const auto perThreadBytes = static_cast<size_t>(perThread) * sizeof(float);
    pairs = pairedRows(pool, problem.x, rows, problem.inFeatures, perThreadBytes);
  }
  const int64_t pieces = (outputs + room - 1) / room;
  eachPiece(pool, blocks * pieces, alone, [&](float* sums, int64_t index) {
    const int64_t begin = index / pieces * blockRows, column = index % pieces * room;
    const int64_t n = std::min(blockRows, rows - begin), columns = std::min(room, outputs - column);
    for (int64_t i = 0; i < n * room; i += kLanes) store(sums + i, zero());
    if (rounded && !few) {
#if defined(__AVX512BF16__)
      addInt4Pairs(problem, pairs, sums, room, begin, begin + n, column, columns);
#endif
    } else {
      addInt4Inputs(problem, problem.x + begin * problem.inFeatures, sums, room, n, column, columns);
    }
    finishInt4(problem, problem.out + begin * problem.outFeatures, sums, room, n, column, columns);
  });
}

}  // namespace

void linearByInput(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures) {
  if (rows == 0 || outFeatures == 0) return;
  if (weight.dtype == DType::kInt4) {
    int4ByInput(pool, {out,
                       x,
                       static_cast<const uint8_t*>(weight.data),
                       static_cast<const uint16_t*>(weight.scales),
                       bias,
                       rows,
                       inFeatures,
                       outFeatures,
                       {}});
    return;
  }
  const auto run = [&](auto* w) {
    using T = std::remove_cv_t<std::remove_pointer_t<decltype(w)>>;
    const auto* scales = static_cast<const float*>(weight.scales);  // of int8 only
    const ByInput<T> problem = {out, x, w, scales, bias, rows, inFeatures, outFeatures, {}};
    if (rows <= kFewRows) {
      fewRows(pool, problem);
    } else {
      manyRows(pool, problem);
    }
  };
  if (weight.dtype == DType::kInt8) {
    run(static_cast<const int8_t*>(weight.data));
  } else {
    withWeight(weight, run);
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
