// Attention of many tokens to a float32 cache: a block takes 64 queries of one head, and 32 keys and values
// at a time through shared memory, with a running maximum and sum for each query. Heads of 64 dimensions
// whose rows lie at multiples of 16 bytes; attention_decode.cuh has the rest, and attention_prefill_mma.cu
// other caches.
//
// 128 multiply-adds for each query and key it sees, by float32 units: bound by those, and by the 12 reads of
// 16 bytes of shared memory for each 128 of them. The keys and values of a head are read once for each 64
// queries.
#include "cuda/ops/attention_tiles.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kKeys = 32;
/** Floats from one row in shared memory to the next: the rows of eight lanes begin in different banks. */
constexpr int kRow = kFastHeadDim + 4, kShareRow = kKeys + 4;

struct Shared {
  alignas(16) float queries[kTileQueries][kRow];
  alignas(16) float keys[kKeys][kRow];
  alignas(16) float values[kKeys][kRow];
  alignas(16) float shares[kTileQueries][kShareRow];
  int32_t counts[kTileQueries];
};

__device__ __forceinline__ float4 fourOf(const float* x) { return *reinterpret_cast<const float4*>(x); }

/** Keys and values [from, from + 32), as far as below `end`, and 0 behind. */
__device__ __forceinline__ void fetch(Shared& shared, const AttendCall& call, int32_t sequence, int32_t head,
                                      int32_t from, int32_t end) {
  constexpr int kLanes = kFastHeadDim / 4;
  for (int i = static_cast<int>(threadIdx.x); i < kKeys * kLanes; i += kTileThreads) {
    const int key = i / kLanes, at = i % kLanes * 4;
    float4 keys = make_float4(0, 0, 0, 0), values = keys;
    if (from + key < end) {
      const int64_t offset =
          cacheRow(call.cache, call.shape.heads, sequence, head, from + key) * kFastHeadDim + at;
      keys = fourOf(static_cast<const float*>(call.cache.keys) + offset);
      values = fourOf(static_cast<const float*>(call.cache.values) + offset);
    }
    *reinterpret_cast<float4*>(&shared.keys[key][at]) = keys;
    *reinterpret_cast<float4*>(&shared.values[key][at]) = values;
  }
}

/** What a thread keeps: queries ty + 16 j, and of their values dimensions 4 tx.. and 32 + 4 tx... */
struct Running {
  float z[4][8];
  float max[4], sum[4];
  int32_t counts[4];
};

/** z += shares . values; `masked`: some query does not see some key, whose value must not even be multiplied
 * by zero, for it may be infinite. */
template <bool kMasked>
__device__ __forceinline__ void addValues(Running& running, const Shared& shared, int tx, int ty,
                                          int32_t from) {
  PERSIMMON_UNROLL
  for (int key = 0; key < kKeys; key += 4) {
    float shares[4][4];
    PERSIMMON_UNROLL
    for (int j = 0; j < 4; ++j) {
      const float4 four = fourOf(&shared.shares[ty + 16 * j][key]);
      shares[j][0] = four.x, shares[j][1] = four.y, shares[j][2] = four.z, shares[j][3] = four.w;
    }
    PERSIMMON_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float4 low = fourOf(&shared.values[key + i][4 * tx]),
                   high = fourOf(&shared.values[key + i][32 + 4 * tx]);
      const float value[8] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
      PERSIMMON_UNROLL
      for (int j = 0; j < 4; ++j) {
        if (kMasked && from + key + i >= running.counts[j]) continue;
        PERSIMMON_UNROLL
        for (int d = 0; d < 8; ++d) running.z[j][d] = fmaf(shares[j][i], value[d], running.z[j][d]);
      }
    }
  }
}

/** Scores of 4 queries and the keys tx + 8 k, their shares, and the running maximum and sum. */
__device__ __forceinline__ void addScores(Running& running, Shared& shared, int tx, int ty, int32_t from) {
  float score[4][4] = {};
  PERSIMMON_UNROLL
  for (int d = 0; d < kFastHeadDim; d += 4) {
    float4 query[4], key[4];
    PERSIMMON_UNROLL
    for (int j = 0; j < 4; ++j) {
      query[j] = fourOf(&shared.queries[ty + 16 * j][d]);
      key[j] = fourOf(&shared.keys[tx + 8 * j][d]);
    }
    PERSIMMON_UNROLL
    for (int j = 0; j < 4; ++j) {
      PERSIMMON_UNROLL
      for (int k = 0; k < 4; ++k) {
        score[j][k] = fmaf(query[j].x, key[k].x, score[j][k]);
        score[j][k] = fmaf(query[j].y, key[k].y, score[j][k]);
        score[j][k] = fmaf(query[j].z, key[k].z, score[j][k]);
        score[j][k] = fmaf(query[j].w, key[k].w, score[j][k]);
      }
    }
  }
  PERSIMMON_UNROLL
  for (int j = 0; j < 4; ++j) {
    float largest = running.max[j];
    PERSIMMON_UNROLL
    for (int k = 0; k < 4; ++k) {
      if (from + tx + 8 * k >= running.counts[j]) score[j][k] = -INFINITY;
      largest = fmaxf(largest, score[j][k]);
    }
    // The eight lanes of a query stand side by side.
    for (int lanes = 4; lanes > 0; lanes /= 2)
      largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, lanes));
    const float base = exponentBase(largest), shrink = exp2f(running.max[j] - base);
    running.max[j] = largest;
    running.sum[j] *= shrink;
    PERSIMMON_UNROLL
    for (int d = 0; d < 8; ++d) running.z[j][d] *= shrink;
    PERSIMMON_UNROLL
    for (int k = 0; k < 4; ++k) {
      const float share = exp2f(score[j][k] - base);
      running.sum[j] += share;
      shared.shares[ty + 16 * j][tx + 8 * k] = share;
    }
  }
}

/**
 * Three blocks fit a multiprocessor, with 168 registers a thread and 44 KiB: left to itself the compiler aims
 * at 128 registers on sm_90, and spills some.
 */
__global__ void __launch_bounds__(kTileThreads, 3) attendTilesKernel(AttendCall call) {
  __shared__ Shared shared;
  waitForPrevious();
  const QueryTile tile = queryTile(call);
  const int thread = static_cast<int>(threadIdx.x), tx = thread % 8, ty = thread / 8;
  const bool inside = *call.inside != 0;

  Running running{};
  for (float& max : running.max) max = -INFINITY;
  for (int i = thread; i < kTileQueries * kFastHeadDim; i += kTileThreads) {
    const int query = i / kFastHeadDim, d = i % kFastHeadDim;
    shared.queries[query][d] =
        inside && query < tile.queries ? call.q[tile.at(query) + d] * call.scale : 0.0f;
  }
  if (inside) {
    eachSequence(call, tile, shared.counts, [&](int32_t sequence, int32_t shortest, int32_t longest) {
      for (int j = 0; j < 4; ++j) running.counts[j] = shared.counts[ty + 16 * j];
      for (int32_t from = 0; from < longest; from += kKeys) {
        __syncthreads();
        fetch(shared, call, sequence, tile.head, from, longest);
        __syncthreads();
        addScores(running, shared, tx, ty, from);
        __syncwarp();  // the shares of a query are those of its own warp
        if (from + kKeys <= shortest) {
          addValues<false>(running, shared, tx, ty, from);
        } else {
          addValues<true>(running, shared, tx, ty, from);
        }
        __syncwarp();
      }
    });
  }
  PERSIMMON_UNROLL
  for (int j = 0; j < 4; ++j) {
    const int32_t query = ty + 16 * j;
    float sum = running.sum[j];
    for (int lanes = 4; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
    if (query >= tile.queries) continue;
    float* z = call.z + tile.at(query);
    PERSIMMON_UNROLL
    for (int d = 0; d < 8; ++d) z[d / 4 * 32 + 4 * tx + d % 4] = inside ? running.z[j][d] / sum : NAN;
  }
}

}  // namespace

void attendTiles(Queue& queue, const AttendCall& call) {
  launch(queue, attendTilesKernel, tileBlocks(call), kTileThreads, {.overlapping = true}, call);
}

}  // namespace persimmon::cuda
