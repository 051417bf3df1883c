// Attention of many tokens to a cache: a block takes 64 queries of one head, and 32 keys and values at a time
// through shared memory, with a running maximum and sum for each query. Heads of 64 dimensions whose rows lie
// at multiples of 16 bytes; attention_decode.cuh has the rest.
//
// 128 multiply-adds for each query and key it sees, by float32 units: bound by those, and by the 12 reads of
// 16 bytes of shared memory for each 128 of them. The keys and values of a head are read once for each 64
// queries.
#include "cuda/ops/attention_call.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kThreads = 128;
constexpr int kQueries = 64, kKeys = 32;
/** Floats from one row in shared memory to the next: the rows of eight lanes begin in different banks. */
constexpr int kRow = kFastHeadDim + 4, kShareRow = kKeys + 4;

struct Shared {
  alignas(16) float queries[kQueries][kRow];
  alignas(16) float keys[kKeys][kRow];
  alignas(16) float values[kKeys][kRow];
  alignas(16) float shares[kQueries][kShareRow];
  int32_t counts[kQueries];  // keys that a query sees, 0 where it belongs to another sequence
};

__device__ __forceinline__ float4 fourOf(const float* x) { return *reinterpret_cast<const float4*>(x); }

/** 16 bytes of a key or a value as floats, times a scale. */
template <class T>
__device__ __forceinline__ void spread(float* out, const T* row, float scale) {
  constexpr int kEach = 16 / static_cast<int>(sizeof(T));
  float x[kEach];
  // A copy: of a reference the compiler reads each word by itself.
  const uint4 bits = *reinterpret_cast<const uint4*>(row);
  widen(bits, x);
  PERSIMMON_UNROLL
  for (int i = 0; i < kEach; i += 4)
    *reinterpret_cast<float4*>(out + i) =
        make_float4(x[i] * scale, x[i + 1] * scale, x[i + 2] * scale, x[i + 3] * scale);
}

/** Keys and values [from, from + 32), as far as below `end`, and 0 behind. */
template <class T>
__device__ __forceinline__ void fetch(Shared& shared, const AttendCall& call, int32_t sequence, int32_t head,
                                      int32_t from, int32_t end) {
  constexpr int kEach = 16 / static_cast<int>(sizeof(T)), kLanes = kFastHeadDim / kEach;
  for (int i = static_cast<int>(threadIdx.x); i < kKeys * kLanes; i += kThreads) {
    const int key = i / kLanes, at = i % kLanes * kEach;
    if (from + key < end) {
      const int64_t row = cacheRow(call.cache, call.shape.heads, sequence, head, from + key);
      const int64_t offset = row * kFastHeadDim + at;
      float keyScale = 1, valueScale = 1;
      if constexpr (kHasScales<T>) {
        keyScale = call.cache.keyScales[row];
        valueScale = call.cache.valueScales[row];
      }
      spread(&shared.keys[key][at], static_cast<const T*>(call.cache.keys) + offset, keyScale);
      spread(&shared.values[key][at], static_cast<const T*>(call.cache.values) + offset, valueScale);
    } else {
      for (int j = 0; j < kEach; ++j) shared.keys[key][at + j] = shared.values[key][at + j] = 0;
    }
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
 * Blocks: for each head of each 64 tokens; the late tokens, which see most, first. Three fit a
 * multiprocessor, with 168 registers a thread and 44 KiB: left to itself the compiler aims at 128 registers
 * on sm_90, and spills some.
 */
template <class T>
__global__ void __launch_bounds__(kThreads, 3) attendTilesKernel(AttendCall call) {
  __shared__ Shared shared;
  waitForPrevious();
  const int32_t heads = call.shape.heads;
  const int64_t tiles = (call.shape.tokens + kQueries - 1) / kQueries;
  const int64_t firstToken = (tiles - 1 - blockIdx.x / heads) * kQueries;
  const int32_t head = static_cast<int32_t>(blockIdx.x % heads);
  const int32_t queries = static_cast<int32_t>(
      call.shape.tokens - firstToken < kQueries ? call.shape.tokens - firstToken : kQueries);
  const int thread = static_cast<int>(threadIdx.x), tx = thread % 8, ty = thread / 8;
  const auto at = [&](int32_t query) { return ((firstToken + query) * heads + head) * kFastHeadDim; };
  const bool inside = *call.inside != 0;

  Running running{};
  for (float& max : running.max) max = -INFINITY;
  for (int i = thread; i < kQueries * kFastHeadDim; i += kThreads) {
    const int query = i / kFastHeadDim, d = i % kFastHeadDim;
    shared.queries[query][d] = inside && query < queries ? call.q[at(query) + d] * call.scale : 0.0f;
  }
  // The tokens of one sequence after those of another.
  for (int32_t begin = 0, end; inside && begin < queries; begin = end) {
    const int32_t sequence = call.places.sequences[firstToken + begin];
    end = begin + 1;
    while (end < queries && call.places.sequences[firstToken + end] == sequence) ++end;
    __syncthreads();
    if (thread < kQueries)
      shared.counts[thread] =
          thread >= begin && thread < end ? call.places.positions[firstToken + thread] + 1 : 0;
    __syncthreads();
    int32_t longest = 0, shortest = 0x7fffffff;
    for (const int32_t count : shared.counts) {
      longest = count > longest ? count : longest;
      shortest = count < shortest ? count : shortest;
    }
    for (int j = 0; j < 4; ++j) running.counts[j] = shared.counts[ty + 16 * j];
    for (int32_t from = 0; from < longest; from += kKeys) {
      __syncthreads();
      fetch<T>(shared, call, sequence, head, from, longest);
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
  }
  PERSIMMON_UNROLL
  for (int j = 0; j < 4; ++j) {
    const int32_t query = ty + 16 * j;
    float sum = running.sum[j];
    for (int lanes = 4; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
    if (query >= queries) continue;
    float* z = call.z + at(query);
    PERSIMMON_UNROLL
    for (int d = 0; d < 8; ++d) z[d / 4 * 32 + 4 * tx + d % 4] = inside ? running.z[j][d] / sum : NAN;
  }
}

}  // namespace

void attendTiles(Queue& queue, const AttendCall& call) {
  const auto kernel =
      withCacheType(call.cache.dtype, [](auto element) { return attendTilesKernel<decltype(element)>; });
  const int64_t tiles = (call.shape.tokens + kQueries - 1) / kQueries;
  launch(queue, kernel, blocksFor(tiles * call.shape.heads, 1), kThreads, {.overlapping = true}, call);
}

}  // namespace persimmon::cuda
