// The loop of the elementwise operations whose operands may be one row, or one number, for all rows.
#pragma once

#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

/** Reads a Spread at any place of the result; strides of 0 repeat a row or a number. */
class SpreadReader {
 public:
  PERSIMMON_INLINE SpreadReader(Spread operand, int64_t rows, int64_t width) {
    const bool isNumber = operand.count == 1 && width > 1;
    if (isNumber) store(number_, broadcast(*operand.data));
    data_ = isNumber ? number_ : operand.data;
    rowStride_ = operand.count == rows * width && rows > 1 ? width : 0;
    columnStride_ = isNumber ? 0 : 1;
  }
  SpreadReader(const SpreadReader&) = delete;
  SpreadReader& operator=(const SpreadReader&) = delete;

  PERSIMMON_INLINE Vec at(int64_t row, int64_t column, int64_t n) const {
    return loadUpTo(data_ + row * rowStride_ + column * columnStride_, n);
  }

 private:
  float number_[kLanes];
  const float* data_;
  int64_t rowStride_;
  int64_t columnStride_;
};

/** out[row, i] = f(a, b), sixteen columns at a time. */
template <class F>
PERSIMMON_INLINE void broadcastElementwise(ThreadPool& pool, float* out, Spread a, Spread b, int64_t rows,
                                           int64_t width, F&& f) {
  if (rows == 0 || width == 0) return;
  const SpreadReader left(a, rows, width), right(b, rows, width);
  // 16,384 elements take about as long as waking a thread.
  const int64_t grain = width >= 16384 ? 1 : 16384 / width;
  parallelChunks(pool, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      for (int64_t i = 0; i < width; i += kLanes) {
        const int64_t n = width - i;
        storeUpTo(out + row * width + i, f(left.at(row, i, n), right.at(row, i, n)), n);
      }
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
