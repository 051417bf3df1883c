// One number for each row, by a block for each: 4 bytes an element, bound by memory where rows are many or
// long. Sums are taken in double precision, each thread's share in order and then over the block.
#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

/** join(...) over the block in a fixed order, in thread 0. `partial` holds a number for each warp. */
template <class T, class Join>
__device__ __forceinline__ T reduceBlock(T x, T* partial, Join join) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x = join(x, __shfl_xor_sync(kAllLanes, x, lanes));
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = x;
  __syncthreads();
  T total = partial[0];
  for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) total = join(total, partial[warp]);
  return total;
}

/** out[row] = sum / divisor. */
__global__ void sumKernel(float* out, const float* x, int64_t width, double divisor) {
  __shared__ double partial[kWarp];
  waitForPrevious();
  const float* row = x + blockIdx.x * width;
  double sum = 0;
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) sum += static_cast<double>(row[i]);
  sum = reduceBlock(sum, partial, [](double a, double b) { return a + b; });
  if (threadIdx.x == 0) out[blockIdx.x] = static_cast<float>(sum / divisor);
}

/** The larger or the smaller of two; NaN where there is one. */
__device__ __forceinline__ float extremeOfTwo(float a, float b, bool smallest) {
  if (a != a || b != b) return NAN;
  return (smallest ? b < a : b > a) ? b : a;
}

__global__ void extremeKernel(float* out, const float* x, int64_t width, bool smallest) {
  __shared__ float partial[kWarp];
  waitForPrevious();
  const float* row = x + blockIdx.x * width;
  float best = row[0];
  for (int64_t i = threadIdx.x; i < width; i += blockDim.x) best = extremeOfTwo(best, row[i], smallest);
  best = reduceBlock(best, partial, [=](float a, float b) { return extremeOfTwo(a, b, smallest); });
  if (threadIdx.x == 0) out[blockIdx.x] = best;
}

unsigned threadsFor(int64_t width) { return width <= 128 ? 32 : width <= 1024 ? 128 : 512; }

void sums(Queue& queue, float* out, const float* x, int64_t rows, int64_t width, double divisor) {
  if (rows == 0) return;
  launch(queue, sumKernel, blocksFor(rows, 1), threadsFor(width), {.overlapping = true}, out, x, width,
         divisor);
}

void extremes(Queue& queue, float* out, const float* x, int64_t rows, int64_t width, bool smallest) {
  if (rows == 0) return;
  launch(queue, extremeKernel, blocksFor(rows, 1), threadsFor(width), {.overlapping = true}, out, x, width,
         smallest);
}

}  // namespace

void sumRows(Queue& queue, float* out, const float* x, int64_t rows, int64_t width) {
  sums(queue, out, x, rows, width, 1.0);
}
void meanRows(Queue& queue, float* out, const float* x, int64_t rows, int64_t width) {
  sums(queue, out, x, rows, width, static_cast<double>(width));
}
void maxRows(Queue& queue, float* out, const float* x, int64_t rows, int64_t width) {
  extremes(queue, out, x, rows, width, false);
}
void minRows(Queue& queue, float* out, const float* x, int64_t rows, int64_t width) {
  extremes(queue, out, x, rows, width, true);
}

}  // namespace persimmon::cuda
