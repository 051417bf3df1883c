// Activation functions and arithmetic, element by element: 8 or 12 bytes an element, bound by memory.
#include "cuda/device.cuh"
#include "cuda/ops.h"
#include "cuda/ops/after.cuh"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;

struct ReluSquared {
  __device__ float operator()(float x) const { return reluSquared(x); }
};
struct Relu {
  __device__ float operator()(float x) const { return x < 0 ? 0.0f : x; }
};
struct Gelu {
  __device__ float operator()(float x) const { return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f)); }
};
struct GeluTanh {
  __device__ float operator()(float x) const {
    return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
  }
};
struct Sigmoid {
  __device__ float operator()(float x) const { return 1.0f / (1.0f + expf(-x)); }
};
struct Silu {
  __device__ float operator()(float x) const { return x * Sigmoid()(x); }
};
struct Tanh {
  __device__ float operator()(float x) const { return tanhf(x); }
};
struct Scale {
  float factor;
  __device__ float operator()(float x) const { return x * factor; }
};
struct Add {
  __device__ float operator()(float a, float b) const { return a + b; }
};
struct Sub {
  __device__ float operator()(float a, float b) const { return a - b; }
};
struct Mul {
  __device__ float operator()(float a, float b) const { return a * b; }
};

template <class F>
__global__ void unaryKernel(float* out, const float* x, int64_t count, F f) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i < count) out[i] = f(x[i]);
}

template <class F>
__global__ void binaryKernel(float* out, const float* a, const float* b, int64_t count, F f) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i < count) out[i] = f(a[i], b[i]);
}

__device__ float at(const Spread& x, int64_t i, int64_t count, int64_t width) {
  return x.data[x.count == count ? i : x.count == width ? i % width : 0];
}

template <class F>
__global__ void broadcastKernel(float* out, Spread a, Spread b, int64_t count, int64_t width, F f) {
  waitForPrevious();
  const int64_t i = indexOfThread();
  if (i < count) out[i] = f(at(a, i, count, width), at(b, i, count, width));
}

template <class F>
void unary(Queue& queue, float* out, const float* x, int64_t count, F f) {
  if (count == 0) return;
  launch(queue, unaryKernel<F>, blocksFor(count, kThreads), kThreads, {.overlapping = true}, out, x, count,
         f);
}

template <class F>
void binary(Queue& queue, float* out, const float* a, const float* b, int64_t count, F f) {
  if (count == 0) return;
  launch(queue, binaryKernel<F>, blocksFor(count, kThreads), kThreads, {.overlapping = true}, out, a, b,
         count, f);
}

template <class F>
void broadcast(Queue& queue, float* out, Spread a, Spread b, int64_t rows, int64_t width, F f) {
  const int64_t count = rows * width;
  if (count == 0) return;
  launch(queue, broadcastKernel<F>, blocksFor(count, kThreads), kThreads, {.overlapping = true}, out, a, b,
         count, width, f);
}

}  // namespace

void reluSquared(Queue& queue, float* out, const float* x, int64_t count) {
  unary(queue, out, x, count, ReluSquared());
}
void relu(Queue& queue, float* out, const float* x, int64_t count) { unary(queue, out, x, count, Relu()); }
void gelu(Queue& queue, float* out, const float* x, int64_t count) { unary(queue, out, x, count, Gelu()); }
void geluTanh(Queue& queue, float* out, const float* x, int64_t count) {
  unary(queue, out, x, count, GeluTanh());
}
void silu(Queue& queue, float* out, const float* x, int64_t count) { unary(queue, out, x, count, Silu()); }
void sigmoid(Queue& queue, float* out, const float* x, int64_t count) {
  unary(queue, out, x, count, Sigmoid());
}
void tanh(Queue& queue, float* out, const float* x, int64_t count) { unary(queue, out, x, count, Tanh()); }
void scale(Queue& queue, float* out, const float* x, float factor, int64_t count) {
  unary(queue, out, x, count, Scale{factor});
}

void add(Queue& queue, float* out, const float* a, const float* b, int64_t count) {
  binary(queue, out, a, b, count, Add());
}
void sub(Queue& queue, float* out, const float* a, const float* b, int64_t count) {
  binary(queue, out, a, b, count, Sub());
}
void mul(Queue& queue, float* out, const float* a, const float* b, int64_t count) {
  binary(queue, out, a, b, count, Mul());
}

void addBroadcast(Queue& queue, float* out, Spread a, Spread b, int64_t rows, int64_t width) {
  broadcast(queue, out, a, b, rows, width, Add());
}
void subBroadcast(Queue& queue, float* out, Spread a, Spread b, int64_t rows, int64_t width) {
  broadcast(queue, out, a, b, rows, width, Sub());
}
void mulBroadcast(Queue& queue, float* out, Spread a, Spread b, int64_t rows, int64_t width) {
  broadcast(queue, out, a, b, rows, width, Mul());
}

}  // namespace persimmon::cuda
