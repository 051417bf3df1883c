// One number for each row. The order of a sum depends on the width alone: eight interleaved sums in double
// precision, which the compiler makes vectors of, and then those in order.
#include <algorithm>
#include <limits>

#include "cpu/ops.h"

namespace persimmon::cpu {

namespace {

constexpr int64_t kParts = 8;

/** out[row] = f(the row) on all threads. */
template <class F>
void forEachRow(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width, const F& f) {
  const int64_t grain = width >= 16384 ? 1 : 16384 / (width > 0 ? width : 1);
  parallelChunks(pool, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) out[row] = f(x + row * width);
  });
}

double sumOf(const float* row, int64_t width) {
  double sums[kParts] = {};
  int64_t i = 0;
  for (; i + kParts <= width; i += kParts) {
    for (int64_t part = 0; part < kParts; ++part) sums[part] += static_cast<double>(row[i + part]);
  }
  for (; i < width; ++i) sums[i % kParts] += static_cast<double>(row[i]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

/** The element that no other is before; NaN where there is one. */
template <class IsBefore>
float extremeOf(const float* row, int64_t width, IsBefore isBefore) {
  // Without a branch in the loop, which the compiler so makes one of vectors.
  float best[kParts];
  int nans[kParts] = {};
  std::fill_n(best, kParts, row[0]);
  int64_t i = 0;
  const auto see = [&](int64_t part, float x) {
    best[part] = isBefore(x, best[part]) ? x : best[part];
    nans[part] += x != x ? 1 : 0;
  };
  for (; i + kParts <= width; i += kParts) {
    for (int64_t part = 0; part < kParts; ++part) see(part, row[i + part]);
  }
  for (; i < width; ++i) see(i % kParts, row[i]);
  for (int64_t part = 1; part < kParts; ++part) {
    see(0, best[part]);
    nans[0] += nans[part];
  }
  return nans[0] > 0 ? std::numeric_limits<float>::quiet_NaN() : best[0];
}

}  // namespace

void sumRows(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width) {
  forEachRow(pool, out, x, rows, width,
             [=](const float* row) { return static_cast<float>(sumOf(row, width)); });
}

void meanRows(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width) {
  forEachRow(pool, out, x, rows, width, [=](const float* row) {
    return static_cast<float>(sumOf(row, width) / static_cast<double>(width));
  });
}

void maxRows(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width) {
  forEachRow(pool, out, x, rows, width,
             [=](const float* row) { return extremeOf(row, width, [](float a, float b) { return a > b; }); });
}

void minRows(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width) {
  forEachRow(pool, out, x, rows, width,
             [=](const float* row) { return extremeOf(row, width, [](float a, float b) { return a < b; }); });
}

}  // namespace persimmon::cpu
