// Matrix products with weights as they are stored, [outFeatures, inFeatures].
#include "cpu/isa.h"
#include "cpu/simd/weight.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

// out[row][o..o+N) for M rows: one sum of sixteen lanes per output, along inFeatures.
template <int M, int N, class T>
void dotTile(float* out, int64_t outStride, const float* x, const T* weight, Weight bias, int64_t o,
             int64_t inFeatures) {
  Vec sum[M][N];
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) sum[m][n] = zero();
  }
  const T* w = weight + o * inFeatures;
  int64_t k = 0;
  for (; k + kLanes <= inFeatures; k += kLanes) {
    Vec a[M];
    for (int m = 0; m < M; ++m) a[m] = load(x + m * inFeatures + k);
    for (int n = 0; n < N; ++n) {
      const Vec b = load(w + n * inFeatures + k);
      for (int m = 0; m < M; ++m) sum[m][n] = fma(a[m], b, sum[m][n]);
    }
  }
  if (k < inFeatures) {
    const int lanes = static_cast<int>(inFeatures - k);
    Vec a[M];
    for (int m = 0; m < M; ++m) a[m] = loadPartial(x + m * inFeatures + k, lanes);
    for (int n = 0; n < N; ++n) {
      const Vec b = loadPartial(w + n * inFeatures + k, lanes);
      for (int m = 0; m < M; ++m) sum[m][n] = fma(a[m], b, sum[m][n]);
    }
  }
  for (int m = 0; m < M; ++m) {
    for (int n = 0; n < N; ++n) {
      out[m * outStride + o + n] =
          bias.data == nullptr ? reduceAdd(sum[m][n]) : reduceAdd(sum[m][n]) + elementOrZero(bias, o + n);
    }
  }
}

template <int M, class T>
void dotRows(float* out, const float* x, const T* weight, Weight bias, int64_t begin, int64_t end,
             int64_t inFeatures, int64_t outFeatures) {
  constexpr int N = 4;
  int64_t o = begin;
  for (; o + N <= end; o += N) dotTile<M, N>(out, outFeatures, x, weight, bias, o, inFeatures);
  for (; o < end; ++o) dotTile<M, 1>(out, outFeatures, x, weight, bias, o, inFeatures);
}

}  // namespace

void linear(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
            int64_t inFeatures, int64_t outFeatures) {
  const int64_t grain = inFeatures * rows >= 4096 ? 16 : 65536 / (inFeatures * rows + 1);
  withWeight(weight, [&](auto* w) {
    parallelChunks(pool, outFeatures, grain, [&](int64_t begin, int64_t end) {
      int64_t row = 0;
      for (; row + 4 <= rows; row += 4) {
        dotRows<4>(out + row * outFeatures, x + row * inFeatures, w, bias, begin, end, inFeatures,
                   outFeatures);
      }
      for (; row < rows; ++row) {
        dotRows<1>(out + row * outFeatures, x + row * inFeatures, w, bias, begin, end, inFeatures,
                   outFeatures);
      }
    });
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
