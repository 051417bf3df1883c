// The register tiles of linear: M rows by N outputs, one sum of sixteen lanes for each pair, along
// inFeatures. A sum is the same chain of fused multiply-adds, one per step of sixteen inputs (of 32 where
// activations are bfloat16), whatever M and N are.
#pragma once

#include "cpu/isa.h"
#include "cpu/simd/pairs.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

// What fits in the registers: on AVX-512 24 sums and 6 weights in 32 of them. The others have 16 (AVX2) or 32
// (NEON) registers of half or a quarter of a Vec. AVX2, GFLOP/s of one thread: 2 x 3 tiles 87, 3 x 2 84, 2 x
// 2 79.
#if defined(__AVX512F__)
constexpr int kTileRows = 4;
constexpr int kTileOutputs = 6;
#elif defined(__AVX2__)
constexpr int kTileRows = 2;
constexpr int kTileOutputs = 3;
#elif defined(__aarch64__)
constexpr int kTileRows = 2;
constexpr int kTileOutputs = 2;
#else
constexpr int kTileRows = 2;
constexpr int kTileOutputs = 1;
#endif

/** Adds the products of so many steps of inputs. x and w: where the first step of each row begins. */
template <int M, int N, class X, class T>
PERSIMMON_INLINE void addProducts(Vec (&sums)[M][N], const X* x, int64_t xRow, int64_t xStep, const T* w,
                                  int64_t wRow, int64_t wStep, int64_t steps) {
  for (int64_t k = 0; k < steps; ++k) {
    decltype(Step<X>::load(w)) b[N];
    PERSIMMON_UNROLL
    for (int n = 0; n < N; ++n) b[n] = Step<X>::load(w + n * wRow);
    PERSIMMON_UNROLL
    for (int m = 0; m < M; ++m) {
      const auto a = Step<X>::load(x + m * xRow);
      PERSIMMON_UNROLL
      for (int n = 0; n < N; ++n) sums[m][n] = fma(a, b[n], sums[m][n]);
    }
    x += xStep;
    w += wStep;
  }
}

/** addProducts for inputs [begin, end) of rows as they are stored, while fetching as much of each row at
 * `ahead`. Whole steps only. */
template <int M, int N, class X, class T>
PERSIMMON_INLINE void addProductsAhead(Vec (&sums)[M][N], const X* x, const T* w, int64_t inFeatures,
                                       int64_t begin, int64_t end, const T* ahead) {
  constexpr int64_t kLine = 64 / static_cast<int64_t>(sizeof(T));
  for (int64_t k = begin; k < end; k += kLine) {
    for (int n = 0; n < N; ++n) __builtin_prefetch(ahead + n * inFeatures + (k - begin), 0, 3);
    constexpr int64_t kInputs = kStepInputs<X>;
    const int64_t steps = end - k < kLine ? 1 : kLine / kInputs;
    addProducts(sums, x + k, inFeatures, kInputs, w + k, inFeatures, kInputs, steps);
  }
}

/** The last `inputs` inputs, fewer than a step. */
template <int M, int N, class X, class T>
PERSIMMON_INLINE void addLastProducts(Vec (&sums)[M][N], const X* x, int64_t xRow, const T* w, int64_t wRow,
                                      int inputs) {
  for (int n = 0; n < N; ++n) {
    const auto b = Step<X>::loadPartial(w + n * wRow, inputs);
    for (int m = 0; m < M; ++m) sums[m][n] = fma(Step<X>::loadPartial(x + m * xRow, inputs), b, sums[m][n]);
  }
}

template <int M, int N>
PERSIMMON_INLINE void zeroSums(Vec (&sums)[M][N]) {
  PERSIMMON_UNROLL
  for (int m = 0; m < M; ++m) {
    PERSIMMON_UNROLL
    for (int n = 0; n < N; ++n) sums[m][n] = zero();
  }
}

/** out[m * outRow + n] = the sum of the lanes (+ bias[o + n]) for the first `outputs` of N. */
template <int M, int N>
PERSIMMON_INLINE void storeSums(const Vec (&sums)[M][N], float* out, int64_t outRow, Weight bias, int64_t o,
                                int outputs) {
  constexpr int kBatches = (M * N + kLanes - 1) / kLanes;
  float totals[kBatches * kLanes];
  PERSIMMON_UNROLL
  for (int batch = 0; batch < kBatches; ++batch) {
    Vec part[kLanes];
    PERSIMMON_UNROLL
    for (int i = 0; i < kLanes; ++i) {
      const int at = batch * kLanes + i;
      part[i] = at < M * N ? sums[at / N][at % N] : zero();
    }
    store(totals + batch * kLanes, reduceAdd16(part));
  }
  for (int n = 0; n < outputs; ++n) {
    const float shift = elementOrZero(bias, o + n);
    for (int m = 0; m < M; ++m) {
      const float sum = totals[m * N + n];
      out[m * outRow + n] = bias.data == nullptr ? sum : sum + shift;
    }
  }
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
