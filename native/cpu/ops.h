// CPU operations of Persimmon. This header is the whole interface; dispatch.cc chooses among the instruction
// sets.
//
// Activations are float32, weights float32 or bfloat16, those of products also int8 or int4, accumulation
// float32.
// Callers check every shape, id and position before they call: nothing here does. Pointers may be unaligned
// (weights lie in memory-mapped files).
//
// Determinism. Each output element is a sum in an order fixed by the reduction length alone: the number of
// rows, of threads and the neighbours in the batch never change a bit. So one token decodes to the bits it
// had in prefill, and the fused attention equals its steps. bfloat16 weights are widened exactly, and give
// the bits that float32 weights of the same values give. "avx2", "avx512" and "avx512-bf16" agree bit for
// bit, and so does "portable" on arm64; "portable" on x64 has no fused multiply-add and differs in the last
// bits. So do, on "avx512-amx", products with more than 1 MiB of bfloat16 weights whose inFeatures are a
// multiple of 32 and whose outFeatures are one of 16: they are added in another order (cpu/amx/tiles.h), the
// same for any number of rows. Activations keep all their digits there, too, but what is subnormal counts as
// zero, and a product of an infinite weight can be NaN.
//
// Products with int8 and int4 weights round activations to whole numbers (cpu/ops/integer_tiles.h). A pool of
// MatmulPrecision::kMedium has linear and linearByInput round activations to bfloat16, to nearest even, where
// "avx512-bf16" is in use and weights are bfloat16. The number of rows and of threads changes no bit there
// either, except that what is subnormal may count as zero.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/thread_pool.h"
#include "cpu/scaled_weights.h"

namespace persimmon::cpu {

enum class DType : uint8_t { kFloat32 = 0, kBFloat16 = 1, kInt32 = 2, kFloat16 = 3, kInt8 = 4, kInt4 = 5 };

/**
 * A weight where it lies. `data == nullptr` means absent (a bias, a norm). Only the weights of linear,
 * linearByInput and embedding may be int8 or int4. See scaled_weights.h: linearByInput takes inputs, the
 * others take tiles.
 * Scales are aligned.
 */
struct Weight {
  const void* data;
  DType dtype;
  const void* scales = nullptr;
};

/** out[token, :] = table[ids[token], :]; table is [vocabulary, hidden], of int8 and int4 in tiles. */
void embedding(ThreadPool& pool, float* out, Weight table, const int32_t* ids, int64_t tokens,
               int64_t hidden);

/** out[rows, outFeatures] = x[rows, inFeatures] . weight[outFeatures, inFeatures]^T (+ bias[outFeatures]). */
void linear(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
            int64_t inFeatures, int64_t outFeatures);

/**
 * linear for a weight that is stored by input, [inFeatures, outFeatures], and finite: what belongs to an
 * input that is zero in all of up to 32 rows is not read. The bits differ from those of linear in rounding.
 */
void linearByInput(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
                   int64_t inFeatures, int64_t outFeatures);

/**
 * linear for the outputs whose gate [rows, outFeatures] is above zero or not a number, and 0 for the others,
 * whose rows of weights are not read, for up to 8 rows. Weights of float32 or bfloat16. On "avx512-amx" the
 * bits are those of "avx512-bf16".
 */
void linearWhere(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, const float* gate,
                 int64_t rows, int64_t inFeatures, int64_t outFeatures);

/** Per row: (x - mean) / sqrt(variance + epsilon) * weight + bias, with the biased variance. `out` may be
 * `x`. */
void layerNorm(ThreadPool& pool, float* out, const float* x, Weight weight, Weight bias, int64_t rows,
               int64_t width, float epsilon);

/** out = max(x, 0)^2. `out` may be `x`. */
void reluSquared(ThreadPool& pool, float* out, const float* x, int64_t count);

/** out = a + b. `out` may be `a` or `b`. */
void add(ThreadPool& pool, float* out, const float* a, const float* b, int64_t count);

/** out = a - b. `out` may be `a` or `b`. */
void sub(ThreadPool& pool, float* out, const float* a, const float* b, int64_t count);

/** out = a * b. `out` may be `a` or `b`. */
void mul(ThreadPool& pool, float* out, const float* a, const float* b, int64_t count);

/** An operand of a [rows, width] result: rows * width numbers, `width` for every row, or one for all. */
struct Spread {
  const float* data;
  int64_t count;
};

/** out[rows, width] = a + b, and likewise a - b and a * b. */
void addBroadcast(ThreadPool& pool, float* out, Spread a, Spread b, int64_t rows, int64_t width);
void subBroadcast(ThreadPool& pool, float* out, Spread a, Spread b, int64_t rows, int64_t width);
void mulBroadcast(ThreadPool& pool, float* out, Spread a, Spread b, int64_t rows, int64_t width);

/** out = x * factor. `out` may be `x`. */
void scale(ThreadPool& pool, float* out, const float* x, float factor, int64_t count);

// Activation functions; NaN gives NaN, and `out` may be `x`.

/** max(x, 0) */
void relu(ThreadPool& pool, float* out, const float* x, int64_t count);
/** x P(Z < x) for a normal Z */
void gelu(ThreadPool& pool, float* out, const float* x, int64_t count);
/** x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, which is nearly gelu */
void geluTanh(ThreadPool& pool, float* out, const float* x, int64_t count);
/** x / (1 + exp(-x)) */
void silu(ThreadPool& pool, float* out, const float* x, int64_t count);
/** 1 / (1 + exp(-x)) */
void sigmoid(ThreadPool& pool, float* out, const float* x, int64_t count);
void tanh(ThreadPool& pool, float* out, const float* x, int64_t count);

/** Per row: x / sqrt(mean(x^2) + epsilon) * weight. `out` may be `x`. */
void rmsNorm(ThreadPool& pool, float* out, const float* x, Weight weight, int64_t rows, int64_t width,
             float epsilon);

/** out[i, rows, columns] = a[i, rows, inner] . b[i, inner, columns] for every i of the batch. */
void matmul(ThreadPool& pool, float* out, const float* a, const float* b, int64_t batch, int64_t rows,
            int64_t inner, int64_t columns);

/** Per row: exp(x - max) / sum. Probabilities below 2^-126 become 0. `out` may be `x`. */
void softmax(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width);

/** Per row: x - max - log(sum of exp(x - max)). `out` may be `x`. */
void logSoftmax(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width);

/** Index of the largest element of each row; ties give the lowest index. NaN is never chosen; all NaN gives
 * 0. */
void argmax(ThreadPool& pool, int32_t* out, const float* x, int64_t rows, int64_t width);

/**
 * One draw per row, in the order of Adept's server: logits / temperature; topK drops logits below the k-th
 * largest (ties stay); topP sorts what is left (descending, ties by index) and keeps through the first token
 * whose cumulative probability exceeds topP; then the draw: the first kept id, in order of id, at which the
 * cumulative probability exceeds uniform[row]. topK <= 0 or >= width and topP <= 0 or >= 1 mean off;
 * temperature <= 0 means argmax. uniform[row] lies in [0, 1). NaN is never drawn (all NaN gives 0). When +inf
 * occurs, only the +inf entries can be drawn.
 */
void sample(ThreadPool& pool, int32_t* out, const float* logits, int64_t rows, int64_t width,
            float temperature, int32_t topK, float topP, const double* uniform);

/** As sample, with the number that each row's generator (row_advance.h) makes next; random: [rows, 4]. */
void sampleSeeded(ThreadPool& pool, int32_t* out, const float* logits, int64_t rows, int64_t width,
                  float temperature, int32_t topK, float topP, const int32_t* random);

/** What a pass over one token a row leaves for the next pass and for whoever reads the tokens. */
struct Advance {
  int32_t* ids;        // [rows]: becomes what was chosen
  int32_t* positions;  // [rows]: one more
  int32_t* random;     // [rows, 4]: one draw further; or nullptr
  int32_t* results;    // [2, rows]: what was chosen, and the bits of its log-probability
  const int32_t* chosen;
  const float* logprobs;  // or nullptr: then those of `results` stay
  int64_t rows;
};
void advance(ThreadPool& pool, const Advance& all);

/** out[row] = logSoftmax(logits[row])[ids[row]], bit for bit. */
void gatherLogProbability(ThreadPool& pool, float* out, const float* logits, const int32_t* ids, int64_t rows,
                          int64_t width);

/** Exact widening from float32 (a copy), bfloat16, float16 or int32 (rounded to nearest even above 2^24). */
void convertToFloat32(ThreadPool& pool, float* out, const void* x, DType from, int64_t count);

/** Rounds to nearest even; NaN stays NaN. */
void convertToBFloat16(ThreadPool& pool, uint16_t* out, const float* x, int64_t count);

/**
 * One layer's keys and values, each [pageCount, heads, pageTokens, headDim], float32 or rounded to bfloat16
 * or int8 when they are stored; int8 has a scale for each head of a position, [pageCount, heads, pageTokens].
 * A row that is not finite has the scale NaN. Position p of a sequence lies in page pageTable[sequence *
 * pagesPerSequence + p / pageTokens], slot p % pageTokens. Sequences may share pages.
 */
struct CacheView {
  void* keys;
  void* values;
  const int32_t* pageTable;
  int32_t pagesPerSequence;
  int32_t pageTokens;
  DType dtype = DType::kFloat32;
  float* keyScales = nullptr;
  float* valueScales = nullptr;
};

/** rotaryDims is even, 0..headDim. */
struct AttentionShape {
  int64_t tokens;
  int32_t heads;
  int32_t headDim;
  int32_t rotaryDims;
};

/** Outputs on request (null: not wanted), each [tokens, heads, headDim]. */
struct AttentionTaps {
  float* q;
  float* k;
  float* v;
  float* qRot;
  float* kRot;
};

/**
 * From the fused projection qkv [tokens, heads, 3, headDim] to z [tokens, heads * headDim]: LayerNorm of each
 * q and k over headDim (skipped if the weight is null), rotary embedding, append of k and v to the cache,
 * then softmax(q . k / sqrt(headDim)) . v over positions 0..positions[token] of the token's sequence. All
 * appends happen before any token attends, so the tokens of a prompt see each other. cos and sin are
 * [maxPositions, rotaryDims / 2].
 */
void fusedAttention(ThreadPool& pool, float* z, const float* qkv, const AttentionShape& shape,
                    Weight qNormWeight, Weight qNormBias, Weight kNormWeight, Weight kNormBias, float epsilon,
                    const float* cos, const float* sin, const int32_t* positions, const int32_t* sequences,
                    const CacheView& cache, const AttentionTaps& taps);

/**
 * z [tokens, heads, headDim] = softmax(scale * q . k) . v per head, without a cache; k and v are [keys,
 * heads, headDim]. Causal: query i sees keys 0..i, and there are as many keys as tokens. At least one key.
 */
void attention(ThreadPool& pool, float* z, const float* q, const float* k, const float* v, int64_t tokens,
               int64_t keys, int32_t heads, int32_t headDim, float scale, bool causal);

// The same computation as fusedAttention in steps, bit for bit (QK-LayerNorm is layerNorm with rows = tokens
// * heads, width = headDim).

/** qkv [tokens, heads, 3, headDim] to q, k, v, each [tokens, heads, headDim]. */
void splitHeads(ThreadPool& pool, float* q, float* k, float* v, const float* qkv,
                const AttentionShape& shape);

/**
 * Rotate-half on the first rotaryDims of each head of x [tokens, heads, headDim]: with h = rotaryDims / 2,
 * the pair (j, j + h) turns by angle j of the token's position; the other dimensions are copied. `out` may be
 * `x`.
 */
void rotary(ThreadPool& pool, float* out, const float* x, const AttentionShape& shape, const float* cos,
            const float* sin, const int32_t* positions);

/** Writes k and v [tokens, heads, headDim] to their slots. */
void cacheAppend(ThreadPool& pool, const float* k, const float* v, const AttentionShape& shape,
                 const int32_t* positions, const int32_t* sequences, const CacheView& cache);

/** pattern[token, head, key] = softmax over keys 0..positions[token]; later keys are 0. keys > every
 * position. */
void attentionPattern(ThreadPool& pool, float* pattern, int64_t keys, const float* q,
                      const AttentionShape& shape, const int32_t* positions, const int32_t* sequences,
                      const CacheView& cache);

/** z[token, head, :] = pattern[token, head, 0..positions[token]] . values. */
void attentionValues(ThreadPool& pool, float* z, const float* pattern, int64_t keys,
                     const AttentionShape& shape, const int32_t* positions, const int32_t* sequences,
                     const CacheView& cache);

// Selection, shape and reductions: one version for all instruction sets.

/** The k largest of each row in descending order, ties by lower column, and their columns; NaN is the largest
 * of all. k <= width. */
void topK(ThreadPool& pool, float* values, int32_t* columns, const float* x, int64_t rows, int64_t width,
          int64_t k);

/** out = x where x is among the k largest of its row, as topK chooses them, and 0 elsewhere. */
void keepTopK(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width, int64_t k);

/** out[row, i] = x[row, columns[i]]; NaN for a column outside of the row. */
void gather(ThreadPool& pool, float* out, const float* x, const int32_t* columns, int64_t rows, int64_t width,
            int64_t count);

/** out[i, columns, rows] = x[i, rows, columns] with its axes exchanged, for every i of the batch. */
void transpose(ThreadPool& pool, float* out, const float* x, int64_t batch, int64_t rows, int64_t columns);

/** out[columns, rows] = x[rows, columns] with its axes exchanged, of the type of x. */
void transposeWeight(ThreadPool& pool, void* out, Weight x, int64_t rows, int64_t columns);

/**
 * Per row of a finite float32 or bfloat16 weight: scales[row] = the largest |x| / 127, out = x / scales[row]
 * rounded to the nearest whole number, to even between two. A row of zeros has the scale 0.
 */
void quantizeRows(ThreadPool& pool, int8_t* out, float* scales, Weight x, int64_t rows, int64_t columns);

/** out[row, i] = x[row, i] * scales[row]. */
void dequantizeRows(ThreadPool& pool, float* out, const int8_t* x, const float* scales, int64_t rows,
                    int64_t columns);

/**
 * A finite float32 or bfloat16 weight as int4 in the order of rows; columns is a multiple of 32. The scale of
 * a group is its number of largest magnitude / -8, so that one number of the group is -8 exactly.
 */
void quantizeGroups(ThreadPool& pool, uint8_t* out, uint16_t* scales, Weight x, int64_t rows,
                    int64_t columns);

/** out[row, i] in float32, of int4 in the order of rows. */
void dequantizeGroups(ThreadPool& pool, float* out, const uint8_t* x, const uint16_t* scales, int64_t rows,
                      int64_t columns);

/** int8 from the order of rows to that of tiles, and back. Tiles take int8TileBytes(rows, columns). */
int64_t int8TileBytes(int64_t rows, int64_t columns);
void int8ToTiles(ThreadPool& pool, uint8_t* tiles, const int8_t* x, int64_t rows, int64_t columns);
void int8FromTiles(ThreadPool& pool, int8_t* out, const uint8_t* tiles, int64_t rows, int64_t columns);

struct Int4Matrix {
  uint8_t* elements;
  uint16_t* scales;
};

/** Bytes of the elements, and how many scales there are, of [rows, columns] in an order. */
int64_t int4Bytes(WeightOrder order, int64_t rows, int64_t columns);
int64_t int4Scales(WeightOrder order, int64_t rows, int64_t columns);

/** The same int4 numbers in another order. One of the two is that of rows. From rows to tiles scales may be
 * unaligned, as they are in files. */
void arrangeGroups(ThreadPool& pool, Int4Matrix out, WeightOrder to, Int4Matrix x, WeightOrder from,
                   int64_t rows, int64_t columns);

/** *out = how many elements are infinite or NaN, at most 2^31 - 1. */
void countNonFiniteWeights(ThreadPool& pool, int32_t* out, Weight x, int64_t count);

/** Blocks of bytes at regular distances, from x to out. */
void copyBlocks(ThreadPool& pool, uint8_t* out, int64_t outStride, const uint8_t* x, int64_t stride,
                int64_t bytes, int64_t blocks);

// One number for each row. Sums are taken in double precision; the extremes are NaN where the row has a NaN.
void sumRows(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width);
void meanRows(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width);
void maxRows(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width);
void minRows(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width);

/** What an edit does with a value x at a place, given its operand d there; `strength` and `limit` are
 * numbers. */
enum class EditKind : int32_t {
  kSet = 0,      // strength
  kAdd = 1,      // x + strength * d
  kScale = 2,    // x * strength
  kReplace = 3,  // x + strength * (d - x), and exactly d where the strength is 1
  kProject = 4,  // x - strength * (x . d) d, the sum over the places of the row; d has length 1
  kClamp = 5,    // at least strength, at most limit
  kNoise = 6,    // x + strength * a near-normal number that depends on the seed, the position and the column
};

/** Where an edit applies and with what. Pointers may be null: then it applies everywhere, or needs no
 * operand. */
struct Edit {
  EditKind kind;
  const int32_t* positions;  // [rows], of each row in its text
  const int32_t* rowOf;      // [positionCount]: operand row for a position, -1 where the edit does not apply
  int64_t positionCount;     // positions from here on take the last entry of rowOf
  const int32_t* columns;    // [columnCount]; null: all of them in order
  int64_t columnCount;
  const float* operand;  // [operandRows, columnCount]
  int64_t operandRows;
  const float* parameters;  // strength, limit; read when the op runs, so that they can be changed at any time
  uint64_t seed;
};

/** out [rows, width] = x with the edit applied. */
void edit(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t width, const Edit& edit);

/** counts[column] += the rows of x [rows, width] that are above 0 there. */
void countPositive(int32_t* counts, const float* x, int64_t rows, int64_t width);

/** found[0] += the elements of x that are NaN or infinite. */
void countNonFinite(int32_t* found, const float* x, int64_t count);

/**
 * "avx512-bf16" | "avx512" | "avx2" | "portable": the best that this CPU and its operating system support, or
 * the one that the environment variable PERSIMMON_ISA names (ignored if unsupported).
 */
const char* instructionSet();

/** For tests and benchmarks, while no op runs. False, and no change, if the name is unknown or unsupported
 * here. */
bool setInstructionSet(const char* name);

/** Reads each half of the buffer with every thread, one with fetches ahead, and returns 10^9 bytes per second
 * of the faster. */
double readBandwidth(ThreadPool& pool, const void* data, size_t bytes);

}  // namespace persimmon::cpu
