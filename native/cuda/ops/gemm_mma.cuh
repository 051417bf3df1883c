// Products of many rows with weights of bfloat16, int8 or int4, by the matrix instruction. A block takes 64
// rows and 128 outputs, its eight warps 32 by 32 each; while they multiply 32 inputs, the next 32 are on
// their way.
//
// Activations stay float32: each is the sum of three bfloat16, whose products with a weight are exact, so
// there are three matrix instructions where bfloat16 activations need one (kParts = 1, for
// MatmulPrecision::kMedium). The sums of 32 inputs are added to float32 sums by ordinary instructions,
// because the matrix instruction cuts off what it cannot keep, which would add up over 16,384 inputs; int4
// scales its groups of 32 on the way.
//
// Bytes: the weights once for all blocks of rows that run at the same time (blocks of rows come first in the
// order of blocks); limited by the matrix instruction from about 100 rows on, by reading the weights below.
#pragma once

#include "cuda/ops.h"
#include "cuda/ops/tile_weights.cuh"

namespace persimmon::cuda {

constexpr int kProductRows = 64;

/** out[rows, outFeatures] = x . weight^T, or for more than one split the sums of each split,
 * [split][row][output]. */
struct ManyRows {
  float* out;
  const float* x;
  Weight bias;          // not with splits
  const float* scales;  // of outputs, or null; not with splits
  int64_t rows, inFeatures, outFeatures;
  int64_t rowBlocks, outputBlocks, splits, splitInputs;  // splitInputs: a multiple of 32
  bool aligned;                                          // x, and each of its rows, to 16 bytes
  unsigned long long* traffic;
  int64_t bytes;  // of the weights
};

/** Which part of the product a block computes. */
struct BlockPlace {
  int64_t row, output, begin, end, split;
};

__device__ __forceinline__ BlockPlace blockPlace(const ManyRows& problem, int rows, int outputs) {
  const int64_t rest = blockIdx.x / problem.rowBlocks, split = rest / problem.outputBlocks;
  const int64_t begin = split * problem.splitInputs, end = begin + problem.splitInputs;
  return {blockIdx.x % problem.rowBlocks * rows, rest % problem.outputBlocks * outputs, begin,
          end < problem.inFeatures ? end : problem.inFeatures, split};
}

__device__ __forceinline__ void storeProduct(const ManyRows& problem, int64_t split, int64_t row, int64_t o,
                                             float sum) {
  if (row >= problem.rows || o >= problem.outFeatures) return;
  if (problem.splits == 1) {
    if (problem.scales != nullptr) sum *= problem.scales[o];
    sum += biasOf(problem.bias, o);
  }
  problem.out[(split * problem.rows + row) * problem.outFeatures + o] = sum;
}

/** kCount neighbours of a row of x, a multiple of 4; zeros where there are none. */
template <int kCount>
__device__ __forceinline__ void loadActivations(const ManyRows& problem, int64_t row, int64_t k, int64_t end,
                                                float (&a)[kCount]) {
  const float* at = problem.x + row * problem.inFeatures + k;
  PERSIMMON_UNROLL
  for (int i = 0; i < kCount; i += 4) {
    if (problem.aligned && row < problem.rows && k + i < end) {
      const float4 four = *reinterpret_cast<const float4*>(at + i);
      a[i] = four.x, a[i + 1] = four.y, a[i + 2] = four.z, a[i + 3] = four.w;
    } else {
      PERSIMMON_UNROLL
      for (int j = i; j < i + 4; ++j) a[j] = row < problem.rows && k + j < end ? at[j] : 0.0f;
    }
  }
}

/** `Tile` is a TileByOutput or TileByInput. */
template <class Tile, bool kScaledByGroup, int kParts>
__global__ __launch_bounds__(kProductThreads,
                             kScaledByGroup ? 1 : 2) void matrixProductKernel(ManyRows problem, Tile weight) {
  struct Shared {
    uint16_t x[kParts][kProductRows * kTilePitch];
    uint16_t weights[kTileOutputs * kTilePitch];
    float scales[kTileOutputs];
  };
  PERSIMMON_DYNAMIC_SHARED(Shared, shared);  // two
  const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarp, lane = thread % kWarp;
  const int g = lane / 4, t = lane % 4, warpRow = warp % 2 * 32, warpOutput = warp / 2 * 32;
  const BlockPlace place = blockPlace(problem, kProductRows, kTileOutputs);
  float a[8];
  FetchedWeights w;
  float scale = 1.0f;  // of this thread's output, in a group
  const auto fetchWeights = [&](int64_t k) {
    weight.fetch(w, {place.output, k, problem.outFeatures, place.end});
    if constexpr (kScaledByGroup) {
      const int64_t o = place.output + thread;
      if (thread < kTileOutputs && o < problem.outFeatures) scale = weight.format.scale(o, k);
    }
  };
  const auto fetchActivations = [&](int64_t k) {
    loadActivations(problem, place.row + thread / 4, k + thread % 4 * 8, place.end, a);
  };
  const auto store = [&](Shared& to) {
    float parts[8][kParts];
    PERSIMMON_UNROLL
    for (int i = 0; i < 8; ++i) {
      if constexpr (kParts == 1) {
        parts[i][0] = fromBFloat16(toBFloat16(a[i]));
      } else {
        splitInThree(a[i], parts[i]);
      }
    }
    PERSIMMON_UNROLL
    for (int part = 0; part < kParts; ++part) {
      float n[8];
      PERSIMMON_UNROLL
      for (int i = 0; i < 8; ++i) n[i] = parts[i][part];
      *reinterpret_cast<uint4*>(to.x[part] + thread / 4 * kTilePitch + thread % 4 * 8) = packed(n);
    }
    weight.store(to.weights, w);
    if (kScaledByGroup && thread < kTileOutputs) to.scales[thread] = scale;
  };
  const auto at = [](const uint16_t* tile, int row, int k) { return tile + row * kTilePitch + k; };
  float sums[2][4][4] = {};
  waitForPrevious();
  if (place.begin < place.end) {
    fetchWeights(place.begin);
    fetchActivations(place.begin);
    store(shared[0]);
  }
  __syncthreads();
  int current = 0;
  for (int64_t k = place.begin; k < place.end; k += kTileInputs) {
    const bool more = k + kTileInputs < place.end;
    if (more) {
      fetchWeights(k + kTileInputs);
      fetchActivations(k + kTileInputs);
    }
    const Shared& tile = shared[current];
    float products[2][4][4] = {};
    PERSIMMON_UNROLL
    for (int inner = 0; inner < kTileInputs; inner += 16) {
      uint32_t b[4][2];
      PERSIMMON_UNROLL
      for (int n = 0; n < 4; n += 2) {
        uint32_t words[4];
        loadMatrices<false>(
            words, at(tile.weights, warpOutput + n * 8 + lane % 8 + lane / 16 * 8, inner + lane / 8 % 2 * 8));
        b[n][0] = words[0], b[n][1] = words[1], b[n + 1][0] = words[2], b[n + 1][1] = words[3];
      }
      PERSIMMON_UNROLL
      for (int m = 0; m < 2; ++m) {
        PERSIMMON_UNROLL
        for (int part = kParts - 1; part >= 0; --part) {  // the small ones first
          uint32_t rows[4];
          loadMatrices<false>(rows, at(tile.x[part], warpRow + m * 16 + lane % 16, inner + lane / 16 * 8));
          PERSIMMON_UNROLL
          for (int n = 0; n < 4; ++n) addMatrixProduct(products[m][n], rows, b[n]);
        }
      }
    }
    PERSIMMON_UNROLL
    for (int n = 0; n < 4; ++n) {
      PERSIMMON_UNROLL
      for (int i = 0; i < 2; ++i) {
        const float factor = kScaledByGroup ? tile.scales[warpOutput + n * 8 + 2 * t + i] : 1.0f;
        PERSIMMON_UNROLL
        for (int m = 0; m < 2; ++m) {
          sums[m][n][i] = fmaf(factor, products[m][n][i], sums[m][n][i]);
          sums[m][n][i + 2] = fmaf(factor, products[m][n][i + 2], sums[m][n][i + 2]);
        }
      }
    }
    // The other half was last read before the barrier that ended the step before.
    if (more) store(shared[1 - current]);
    __syncthreads();
    current = 1 - current;
  }
  letNextStart();
  PERSIMMON_UNROLL
  for (int m = 0; m < 2; ++m) {
    PERSIMMON_UNROLL
    for (int n = 0; n < 4; ++n) {
      PERSIMMON_UNROLL
      for (int i = 0; i < 4; ++i) {
        storeProduct(problem, place.split, place.row + warpRow + m * 16 + g + i / 2 * 8,
                     place.output + warpOutput + n * 8 + 2 * t + i % 2, sums[m][n][i]);
      }
    }
  }
  if (blockIdx.x == 0 && thread == 0) countTraffic(problem.traffic, problem.bytes, 0);
}

/** Two stages of tiles. */
template <int kParts>
constexpr size_t matrixProductShared() {
  return 2 * (sizeof(uint16_t) * kTilePitch * (kParts * kProductRows + kTileOutputs) +
              sizeof(float) * kTileOutputs);
}

}  // namespace persimmon::cuda
