// What interventions put into a forward pass: edits, counters and checks. See cpu/edit.cc.
#include "cpu/edit_rule.h"
#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

using cpu::edited;
using cpu::EditKind;
using cpu::operandRow;

constexpr int kThreads = 256;

// One block a row.
__global__ void editKernel(float* out, const float* x, int64_t rows, int64_t width, Edit edit) {
  __shared__ double partial[kThreads];
  waitForPrevious();
  const int thread = static_cast<int>(threadIdx.x);
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    float* target = out + row * width;
    const float* source = x + row * width;
    for (int64_t i = thread; i < width; i += kThreads) target[i] = source[i];
    const int64_t at = operandRow(edit, row);
    if (at < 0) continue;  // the same in the whole block
    // Columns are written by other threads than those that copied them.
    __syncthreads();
    const float* operand = edit.operand == nullptr ? nullptr : edit.operand + at * edit.columnCount;
    const int64_t position = edit.positions == nullptr ? 0 : edit.positions[row];
    float removed = 0;
    if (edit.kind == EditKind::kProject) {
      double dot = 0;
      for (int64_t i = thread; i < edit.columnCount; i += kThreads) {
        const int64_t column = edit.columns == nullptr ? i : edit.columns[i];
        if (column >= 0 && column < width) dot += double{source[column]} * operand[i];
      }
      partial[thread] = dot;
      __syncthreads();
      for (int half = kThreads / 2; half > 0; half /= 2) {
        if (thread < half) partial[thread] += partial[thread + half];
        __syncthreads();
      }
      removed = static_cast<float>(edit.parameters[0] * partial[0]);
    }
    for (int64_t i = thread; i < edit.columnCount; i += kThreads) {
      const int64_t column = edit.columns == nullptr ? i : edit.columns[i];
      if (column < 0 || column >= width) continue;
      target[column] =
          edit.kind == EditKind::kProject
              ? source[column] - removed * operand[i]
              : edited(edit, source[column], operand == nullptr ? 0.0f : operand[i], position, column);
    }
    __syncthreads();
  }
}

__global__ void countPositiveKernel(int32_t* counts, const float* x, int64_t rows, int64_t width) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i >= width) return;
  int32_t positive = 0;
  for (int64_t row = 0; row < rows; ++row) positive += x[row * width + i] > 0 ? 1 : 0;
  counts[i] += positive;
}

// Whole numbers may be added in any order.
__global__ void countNonFiniteKernel(int32_t* found, const float* x, int64_t count) {
  waitForPrevious();
  const int64_t stride = int64_t{gridDim.x} * kThreads;
  int32_t total = 0;
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride)
    total += (__float_as_uint(x[i]) & 0x7f800000u) == 0x7f800000u ? 1 : 0;
  if (total > 0) atomicAdd(found, total);
}

}  // namespace

void edit(Queue& queue, float* out, const float* x, int64_t rows, int64_t width, const Edit& edit) {
  launch(queue, editKernel, blocksFor(rows, 1), kThreads, {.overlapping = true}, out, x, rows, width, edit);
}

void countPositive(Queue& queue, int32_t* counts, const float* x, int64_t rows, int64_t width) {
  if (rows == 0 || width == 0) return;
  launch(queue, countPositiveKernel, blocksFor(width, kThreads), kThreads, {.overlapping = true}, counts, x,
         rows, width);
}

void countNonFinite(Queue& queue, int32_t* found, const float* x, int64_t count) {
  if (count == 0) return;
  const unsigned blocks = blocksFor(count, kThreads * 16);
  launch(queue, countNonFiniteKernel, blocks, kThreads, {.overlapping = true}, found, x, count);
}

}  // namespace persimmon::cuda
