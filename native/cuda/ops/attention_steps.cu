// Attention in steps, for plans that look at or change what lies between them; fusedAttention does the same
// in one piece. splitHeads and rotary: 8 bytes an element. cacheAppend: 4 bytes an element read, its rounded
// size written. attentionPattern and attentionValues: the keys, and the values, of every position for each
// token; a pattern of 4 bytes for each key. All are bound by memory.
#include "cuda/ops/attention_places.cuh"
#include "cuda/ops/attention_rows.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;

/** Rows are counted over tokens and heads; a warp takes one at a time. */
__device__ int64_t firstRow() { return int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarp; }
__device__ int64_t rowStride() { return int64_t{gridDim.x} * kWarps; }

__global__ void splitHeadsKernel(float* q, float* k, float* v, const float* qkv, int64_t rows,
                                 int32_t width) {
  waitForPrevious();
  for (int64_t row = firstRow(); row < rows; row += rowStride()) {
    const float* x = qkv + row * 3 * width;
    copyRow(q + row * width, x, width);
    copyRow(k + row * width, x + width, width);
    copyRow(v + row * width, x + 2 * int64_t{width}, width);
  }
}

/** *inside = whether all positions are in 0..maxPositions - 1. One block. */
__global__ void positionsKernel(int32_t* inside, const int32_t* positions, int64_t tokens,
                                int64_t maxPositions) {
  waitForPrevious();
  int outside = 0;
  for (int64_t token = threadIdx.x; token < tokens; token += blockDim.x)
    outside |= positions[token] < 0 || positions[token] >= maxPositions ? 1 : 0;
  outside = __syncthreads_or(outside);
  if (threadIdx.x == 0) *inside = outside != 0 ? 0 : 1;
}

__global__ void rotaryKernel(float* out, const float* x, AttentionShape shape, const float* cos,
                             const float* sin, const int32_t* positions, const int32_t* inside) {
  waitForPrevious();
  const int64_t width = shape.headDim, half = shape.rotaryDims / 2;
  const bool isInside = *inside != 0;
  for (int64_t row = firstRow(); row < shape.tokens * shape.heads; row += rowStride()) {
    if (isInside) {
      const int64_t angles = positions[row / shape.heads] * half;
      rotateRow(out + row * width, x + row * width, cos + angles, sin + angles, shape.headDim,
                shape.rotaryDims);
    } else {
      for (int64_t i = laneOfWarp(); i < width; i += kWarp) out[row * width + i] = NAN;
    }
  }
}

__global__ void cacheAppendKernel(const float* k, const float* v, AttentionShape shape,
                                  const int32_t* positions, const int32_t* sequences, CacheView cache,
                                  const int32_t* inside) {
  waitForPrevious();
  if (*inside == 0) return;
  const int64_t width = shape.headDim;
  for (int64_t row = firstRow(); row < shape.tokens * shape.heads; row += rowStride()) {
    const int64_t token = row / shape.heads;
    const int64_t at = cacheRow(cache, shape.heads, sequences[token], static_cast<int32_t>(row % shape.heads),
                                positions[token]);
    storeRow(cache.dtype, cache.keys, cache.keyScales, at, k + row * width, shape.headDim);
    storeRow(cache.dtype, cache.values, cache.valueScales, at, v + row * width, shape.headDim);
  }
}

/** A block for a row at a time: a warp for each key, then softmax where the scores lie. */
template <class T>
__global__ void patternKernel(float* pattern, int64_t keys, const float* q, AttentionShape shape,
                              const int32_t* positions, const int32_t* sequences, CacheView cache,
                              const int32_t* inside) {
  __shared__ float partial[kWarp];
  waitForPrevious();
  const bool isInside = *inside != 0;
  const int64_t width = shape.headDim;
  const float scale = 1.0f / sqrtf(static_cast<float>(shape.headDim));
  const T* cached = static_cast<const T*>(cache.keys);
  for (int64_t row = blockIdx.x; row < shape.tokens * shape.heads; row += gridDim.x) {
    const int64_t token = row / shape.heads;
    const int32_t head = static_cast<int32_t>(row % shape.heads);
    float* scores = pattern + row * keys;
    const int32_t count = isInside ? positions[token] + 1 : 0;
    float max = -INFINITY;
    for (int32_t key = static_cast<int32_t>(threadIdx.x) / kWarp; key < count; key += kWarps) {
      const int64_t at = cacheRow(cache, shape.heads, sequences[token], head, key);
      float sum = 0;
      for (int64_t i = laneOfWarp(); i < width; i += kWarp)
        sum = fmaf(q[row * width + i], widen(cached[at * width + i]), sum);
      sum = warpSum(sum) * scale;
      if constexpr (kHasScales<T>) sum *= cache.keyScales[at];
      if (laneOfWarp() == 0) scores[key] = sum;
      max = fmaxf(max, sum);
    }
    max = blockMax(max, partial);  // its barriers also show the scores to all threads
    float sum = 0;
    for (int32_t key = static_cast<int32_t>(threadIdx.x); key < count; key += kThreads) {
      const float e = expf(scores[key] - max);
      scores[key] = e;
      sum += e;
    }
    const float share = 1.0f / blockSum(sum, partial);
    for (int64_t key = threadIdx.x; key < keys; key += kThreads)
      scores[key] = !isInside ? NAN : key < count ? scores[key] * share : 0.0f;
  }
}

/** A block for a row at a time: its warps share the keys, its lanes 32 dimensions at a time. */
template <class T>
__global__ void valuesKernel(float* z, const float* pattern, int64_t keys, AttentionShape shape,
                             const int32_t* positions, const int32_t* sequences, CacheView cache,
                             const int32_t* inside) {
  __shared__ float sums[kWarps][kWarp];
  waitForPrevious();
  const bool isInside = *inside != 0;
  const int64_t width = shape.headDim;
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = laneOfWarp();
  const T* cached = static_cast<const T*>(cache.values);
  for (int64_t row = blockIdx.x; row < shape.tokens * shape.heads; row += gridDim.x) {
    const int64_t token = row / shape.heads;
    const int32_t head = static_cast<int32_t>(row % shape.heads);
    const int32_t count = isInside ? positions[token] + 1 : 0;
    for (int64_t begin = 0; begin < width; begin += kWarp) {
      const int64_t i = begin + lane;
      float sum = 0;
      for (int32_t key = warp; key < count; key += kWarps) {
        const int64_t at = cacheRow(cache, shape.heads, sequences[token], head, key);
        float share = pattern[row * keys + key];
        if constexpr (kHasScales<T>) share *= cache.valueScales[at];
        if (i < width) sum = fmaf(share, widen(cached[at * width + i]), sum);
      }
      sums[warp][lane] = sum;
      __syncthreads();
      if (warp == 0 && i < width) {
        float total = 0;
        for (int other = 0; other < kWarps; ++other) total += sums[other][lane];
        z[row * width + i] = isInside ? total : NAN;
      }
      __syncthreads();
    }
  }
}

int32_t* flagOf(Queue& queue) { return reinterpret_cast<int32_t*>(queue.scratch(256)); }

}  // namespace

void splitHeads(Queue& queue, float* q, float* k, float* v, const float* qkv, const AttentionShape& shape) {
  const int64_t rows = shape.tokens * shape.heads;
  if (rows == 0) return;
  launch(queue, splitHeadsKernel, blocksFor(rows, kWarps), kThreads, {.overlapping = true}, q, k, v, qkv,
         rows, shape.headDim);
}

void rotary(Queue& queue, float* out, const float* x, const AttentionShape& shape, const float* cos,
            const float* sin, const int32_t* positions, int64_t maxPositions) {
  const int64_t rows = shape.tokens * shape.heads;
  if (rows == 0) return;
  int32_t* inside = flagOf(queue);
  launch(queue, positionsKernel, 1, kThreads, {.overlapping = true}, inside, positions, shape.tokens,
         maxPositions);
  launch(queue, rotaryKernel, blocksFor(rows, kWarps), kThreads, {.overlapping = true}, out, x, shape, cos,
         sin, positions, inside);
}

void cacheAppend(Queue& queue, const float* k, const float* v, const AttentionShape& shape,
                 const int32_t* positions, const int32_t* sequences, const CacheView& cache,
                 const AttentionLimits& limits) {
  const int64_t rows = shape.tokens * shape.heads;
  if (rows == 0) return;
  int32_t* inside = flagOf(queue);
  checkPlaces(queue, inside, placesOf(shape, positions, sequences, cache, limits));
  launch(queue, cacheAppendKernel, blocksFor(rows, kWarps), kThreads, {.overlapping = true}, k, v, shape,
         positions, sequences, cache, inside);
}

void attentionPattern(Queue& queue, float* pattern, int64_t keys, const float* q, const AttentionShape& shape,
                      const int32_t* positions, const int32_t* sequences, const CacheView& cache,
                      const AttentionLimits& limits) {
  const int64_t rows = shape.tokens * shape.heads;
  if (rows == 0) return;
  int32_t* inside = flagOf(queue);
  checkPlaces(queue, inside, placesOf(shape, positions, sequences, cache, limits));
  const auto kernel =
      withCacheType(cache.dtype, [](auto element) { return patternKernel<decltype(element)>; });
  launch(queue, kernel, blocksFor(rows, 1), kThreads, {.overlapping = true}, pattern, keys, q, shape,
         positions, sequences, cache, inside);
}

void attentionValues(Queue& queue, float* z, const float* pattern, int64_t keys, const AttentionShape& shape,
                     const int32_t* positions, const int32_t* sequences, const CacheView& cache,
                     const AttentionLimits& limits) {
  const int64_t rows = shape.tokens * shape.heads;
  if (rows == 0) return;
  int32_t* inside = flagOf(queue);
  checkPlaces(queue, inside, placesOf(shape, positions, sequences, cache, limits));
  const auto kernel =
      withCacheType(cache.dtype, [](auto element) { return valuesKernel<decltype(element)>; });
  launch(queue, kernel, blocksFor(rows, 1), kThreads, {.overlapping = true}, z, pattern, keys, shape,
         positions, sequences, cache, inside);
}

}  // namespace persimmon::cuda
