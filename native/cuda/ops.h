// CUDA operations of Persimmon: those of cpu/ops.h, whose comments say what each computes, with a queue in
// place of the thread pool and pointers into the GPU's memory. Each puts kernels on the queue and returns.
//
// What differs from the CPU:
// - Nothing that lies on the GPU can be looked at here, so what the addon checks on the stream for the CPU
// (ids,
//   positions, pages) the kernels check themselves: these ops take the limits, too.
// - Sums are taken in another order, fixed for each op and shape, so that runs are repeatable. The order
// depends on
//   the number of rows: a token decoded alone and in a prompt may differ in the last bits. In linearByInput
//   it depends on which inputs are zero, too.
// - Products with int8 and int4 weights take the activations as they are, in float32; the CPU rounds them to
// eight bits
//   in linear. Such weights are aligned to 16 bytes.
//
// In a build without CUDA every op is an empty function of the same name; no queue can be made then, so none
// is ever called.
#pragma once

#include "cpu/ops.h"
#include "cuda/queue.h"

#ifdef PERSIMMON_CUDA
#define PERSIMMON_CUDA_OP void
#define PERSIMMON_CUDA_BODY
#else
#define PERSIMMON_CUDA_OP inline void
#define PERSIMMON_CUDA_BODY \
  {                         \
  }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wpedantic"
#endif

namespace persimmon::cuda {

using cpu::Advance;
using cpu::AttentionShape;
using cpu::AttentionTaps;
using cpu::CacheView;
using cpu::DType;
using cpu::Edit;
using cpu::Int4Matrix;
using cpu::Spread;
using cpu::Weight;
using cpu::WeightOrder;

// --- embedding.cu, linear*.cu, matmul.cu ---
/** An id outside of the table's `rows` gives a row of NaN. */
PERSIMMON_CUDA_OP embedding(Queue& queue, float* out, Weight table, const int32_t* ids, int64_t tokens,
                            int64_t hidden, int64_t rows) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP linear(Queue& queue, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                         int64_t inFeatures, int64_t outFeatures) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP linearByInput(Queue& queue, float* out, const float* x, Weight weight, Weight bias,
                                int64_t rows, int64_t inFeatures, int64_t outFeatures) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP linearWhere(Queue& queue, float* out, const float* x, Weight weight, Weight bias,
                              const float* gate, int64_t rows, int64_t inFeatures,
                              int64_t outFeatures) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP matmul(Queue& queue, float* out, const float* a, const float* b, int64_t batch,
                         int64_t rows, int64_t inner, int64_t columns) PERSIMMON_CUDA_BODY;

// --- norms.cu, softmax.cu ---
PERSIMMON_CUDA_OP layerNorm(Queue& queue, float* out, const float* x, Weight weight, Weight bias,
                            int64_t rows, int64_t width, float epsilon) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP rmsNorm(Queue& queue, float* out, const float* x, Weight weight, int64_t rows,
                          int64_t width, float epsilon) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP softmax(Queue& queue, float* out, const float* x, int64_t rows,
                          int64_t width) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP logSoftmax(Queue& queue, float* out, const float* x, int64_t rows,
                             int64_t width) PERSIMMON_CUDA_BODY;

// --- elementwise.cu ---
PERSIMMON_CUDA_OP reluSquared(Queue& queue, float* out, const float* x, int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP relu(Queue& queue, float* out, const float* x, int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP gelu(Queue& queue, float* out, const float* x, int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP geluTanh(Queue& queue, float* out, const float* x, int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP silu(Queue& queue, float* out, const float* x, int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP sigmoid(Queue& queue, float* out, const float* x, int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP tanh(Queue& queue, float* out, const float* x, int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP scale(Queue& queue, float* out, const float* x, float factor,
                        int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP add(Queue& queue, float* out, const float* a, const float* b,
                      int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP sub(Queue& queue, float* out, const float* a, const float* b,
                      int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP mul(Queue& queue, float* out, const float* a, const float* b,
                      int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP addBroadcast(Queue& queue, float* out, Spread a, Spread b, int64_t rows,
                               int64_t width) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP subBroadcast(Queue& queue, float* out, Spread a, Spread b, int64_t rows,
                               int64_t width) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP mulBroadcast(Queue& queue, float* out, Spread a, Spread b, int64_t rows,
                               int64_t width) PERSIMMON_CUDA_BODY;

// --- attention*.cu ---
/** How far the places of a batch may reach; one beyond makes the whole result NaN, and nothing is stored. */
struct AttentionLimits {
  int32_t sequenceCount;
  int64_t pageCount;
  /** Positions that there are angles or columns for. */
  int64_t positions;
};
PERSIMMON_CUDA_OP fusedAttention(Queue& queue, float* z, const float* qkv, const AttentionShape& shape,
                                 Weight qNormWeight, Weight qNormBias, Weight kNormWeight, Weight kNormBias,
                                 float epsilon, const float* cos, const float* sin, const int32_t* positions,
                                 const int32_t* sequences, const CacheView& cache, const AttentionTaps& taps,
                                 const AttentionLimits& limits) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP attention(Queue& queue, float* z, const float* q, const float* k, const float* v,
                            int64_t tokens, int64_t keys, int32_t heads, int32_t headDim, float scale,
                            bool causal) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP splitHeads(Queue& queue, float* q, float* k, float* v, const float* qkv,
                             const AttentionShape& shape) PERSIMMON_CUDA_BODY;
/** A position outside of 0..maxPositions - 1 makes the whole result NaN. */
PERSIMMON_CUDA_OP rotary(Queue& queue, float* out, const float* x, const AttentionShape& shape,
                         const float* cos, const float* sin, const int32_t* positions,
                         int64_t maxPositions) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP cacheAppend(Queue& queue, const float* k, const float* v, const AttentionShape& shape,
                              const int32_t* positions, const int32_t* sequences, const CacheView& cache,
                              const AttentionLimits& limits) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP attentionPattern(Queue& queue, float* pattern, int64_t keys, const float* q,
                                   const AttentionShape& shape, const int32_t* positions,
                                   const int32_t* sequences, const CacheView& cache,
                                   const AttentionLimits& limits) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP attentionValues(Queue& queue, float* z, const float* pattern, int64_t keys,
                                  const AttentionShape& shape, const int32_t* positions,
                                  const int32_t* sequences, const CacheView& cache,
                                  const AttentionLimits& limits) PERSIMMON_CUDA_BODY;

// --- argmax.cu, sample.cu, advance.cu, softmax.cu, selection.cu, reductions.cu ---
PERSIMMON_CUDA_OP argmax(Queue& queue, int32_t* out, const float* x, int64_t rows,
                         int64_t width) PERSIMMON_CUDA_BODY;
/** `uniform`: on the GPU. */
PERSIMMON_CUDA_OP sample(Queue& queue, int32_t* out, const float* logits, int64_t rows, int64_t width,
                         float temperature, int32_t topK, float topP,
                         const double* uniform) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP sampleSeeded(Queue& queue, int32_t* out, const float* logits, int64_t rows, int64_t width,
                               float temperature, int32_t topK, float topP,
                               const int32_t* random) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP advance(Queue& queue, const Advance& all) PERSIMMON_CUDA_BODY;
/** NaN for an id outside of the row. */
PERSIMMON_CUDA_OP gatherLogProbability(Queue& queue, float* out, const float* logits, const int32_t* ids,
                                       int64_t rows, int64_t width) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP topK(Queue& queue, float* values, int32_t* columns, const float* x, int64_t rows,
                       int64_t width, int64_t k) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP keepTopK(Queue& queue, float* out, const float* x, int64_t rows, int64_t width,
                           int64_t k) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP gather(Queue& queue, float* out, const float* x, const int32_t* columns, int64_t rows,
                         int64_t width, int64_t count) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP sumRows(Queue& queue, float* out, const float* x, int64_t rows,
                          int64_t width) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP meanRows(Queue& queue, float* out, const float* x, int64_t rows,
                           int64_t width) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP maxRows(Queue& queue, float* out, const float* x, int64_t rows,
                          int64_t width) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP minRows(Queue& queue, float* out, const float* x, int64_t rows,
                          int64_t width) PERSIMMON_CUDA_BODY;

// --- interventions.cu ---
PERSIMMON_CUDA_OP edit(Queue& queue, float* out, const float* x, int64_t rows, int64_t width,
                       const Edit& edit) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP countPositive(Queue& queue, int32_t* counts, const float* x, int64_t rows,
                                int64_t width) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP countNonFinite(Queue& queue, int32_t* found, const float* x,
                                 int64_t count) PERSIMMON_CUDA_BODY;

// --- conversions.cu, shapes.cu ---
/** Between float32 and bfloat16; also from float16 and int32. Of one type it is a copy. */
PERSIMMON_CUDA_OP convert(Queue& queue, void* out, DType to, const void* x, DType from,
                          int64_t count) PERSIMMON_CUDA_BODY;
/** out = mean + deviation * a near-normal number of each index's own; float32 or, cut off, bfloat16. */
PERSIMMON_CUDA_OP fillNormal(Queue& queue, void* out, DType dtype, int64_t count, float mean, float deviation,
                             uint64_t seed) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP copyBlocks(Queue& queue, uint8_t* out, int64_t outStride, const uint8_t* x, int64_t stride,
                             int64_t bytes, int64_t blocks) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP transpose(Queue& queue, float* out, const float* x, int64_t batch, int64_t rows,
                            int64_t columns) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP transposeWeight(Queue& queue, void* out, Weight x, int64_t rows,
                                  int64_t columns) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP countNonFiniteWeights(Queue& queue, int32_t* out, Weight x,
                                        int64_t count) PERSIMMON_CUDA_BODY;
/** Two 64-bit integers: the bytes of weights read and left out so far. */
PERSIMMON_CUDA_OP weightTraffic(Queue& queue, int32_t* out) PERSIMMON_CUDA_BODY;
/** Gigabytes a second of one pass over the memory, into one float. */
PERSIMMON_CUDA_OP readBandwidth(Queue& queue, float* out, const void* data, size_t bytes) PERSIMMON_CUDA_BODY;

// --- parts.cu: of a model that is split over GPUs; see addon/communicator_ops.cc ---
/** out = ids counted from `first`, -1 for those outside of `rows` rows. */
PERSIMMON_CUDA_OP idsOfPart(Queue& queue, int32_t* out, const int32_t* ids, int64_t tokens, int64_t first,
                            int64_t rows) PERSIMMON_CUDA_BODY;
/** out = x [tokens, width] with zeros in the rows whose id is negative. */
PERSIMMON_CUDA_OP clearRows(Queue& queue, float* out, const float* x, const int32_t* ids, int64_t tokens,
                            int64_t width) PERSIMMON_CUDA_BODY;

// --- quantize.cu ---
PERSIMMON_CUDA_OP quantizeRows(Queue& queue, int8_t* out, float* scales, Weight x, int64_t rows,
                               int64_t columns) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP dequantizeRows(Queue& queue, float* out, const int8_t* x, const float* scales, int64_t rows,
                                 int64_t columns) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP quantizeGroups(Queue& queue, uint8_t* out, uint16_t* scales, Weight x, int64_t rows,
                                 int64_t columns) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP dequantizeGroups(Queue& queue, float* out, const uint8_t* x, const uint16_t* scales,
                                   int64_t rows, int64_t columns) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP arrangeGroups(Queue& queue, Int4Matrix out, WeightOrder to, Int4Matrix x, WeightOrder from,
                                int64_t rows, int64_t columns) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP int8ToTiles(Queue& queue, uint8_t* tiles, const int8_t* x, int64_t rows,
                              int64_t columns) PERSIMMON_CUDA_BODY;
PERSIMMON_CUDA_OP int8FromTiles(Queue& queue, int8_t* out, const uint8_t* tiles, int64_t rows,
                                int64_t columns) PERSIMMON_CUDA_BODY;

}  // namespace persimmon::cuda

#ifndef PERSIMMON_CUDA
#pragma GCC diagnostic pop
#endif
#undef PERSIMMON_CUDA_OP
#undef PERSIMMON_CUDA_BODY
