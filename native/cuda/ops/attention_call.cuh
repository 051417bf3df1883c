// Queries that attend to a cache: what the kernels of attention_decode.cuh and attention_prefill.cu are told.
#pragma once

#include "cuda/ops/attention_places.cuh"
#include "cuda/ops/attention_rows.cuh"
#include "cuda/ops/weights.cuh"

namespace persimmon::cuda {

/** The head width that has kernels of its own. */
constexpr int kFastHeadDim = 64;

constexpr float kLog2E = 1.44269504088896341f;

/** A head's q, k or v on its way from the projection: norms, angles, and where copies are wanted. */
struct HeadWork {
  const float* qkv;
  cpu::Weight qWeight, qBias, kWeight, kBias;
  float epsilon;
  const float* cos;
  const float* sin;
  AttentionTaps taps;
};

struct AttendCall {
  AttentionShape shape;
  Places places;
  CacheView cache;
  /** Rotated queries [tokens, heads, headDim]; null: the only token's, which each block makes from `work`. */
  const float* q;
  HeadWork work;
  /** Of scores, times log2(e), so that exponentials are powers of 2. */
  float scale;
  /** Whether all places are inside; null: look. */
  const int32_t* inside;
  int32_t splits;
  /** Whether attention_tiles.cuh takes it. */
  bool byTiles;
  float* z;
  /** Where there are several splits: weighted values [rows, splits, headDim], {max, sum} [rows, splits]. */
  float* partialValues;
  float2* partialSums;
  /** What the splits of a row count themselves in, one for each. */
  unsigned* arrivals;
};

/** What exponents are taken from: the largest score, but 0 in place of -inf, from which -inf would be NaN. */
__device__ __forceinline__ float exponentBase(float max) { return max == -INFINITY ? 0.0f : max; }

/**
 * Decides how: sets `splits` and `byTiles` from shapes alone, so that a captured graph serves every length,
 * and returns the bytes of scratch that attend needs. `capacity`: keys that there can be.
 */
size_t planAttend(Queue& queue, AttendCall* call, int64_t capacity);

/** z = attention of the queries. `scratch`: as much as planAttend said, at a multiple of 8 bytes. */
void attend(Queue& queue, AttendCall call, uint8_t* scratch);

inline size_t roundedUp(size_t bytes) { return (bytes + 255) / 256 * 256; }

}  // namespace persimmon::cuda
