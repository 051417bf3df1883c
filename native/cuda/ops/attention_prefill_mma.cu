// Attention of many tokens to a cache by the matrix instruction, as FlashAttention-2 does it (Dao 2023): a
// warp keeps 16 queries, their running maximum and sum, and their values in registers, while keys and values
// pass through shared memory, 64 at a time.
//
// Keys and values of bfloat16 are exact in the instruction, and so are int8 ones before their scales, which
// are multiplied with scores and shares. Queries and shares stay float32: each is the sum of three bfloat16,
// so there are three instructions for each product (kParts = 3). MatmulPrecision::kMedium rounds them to
// bfloat16 (kParts = 1).
//
// 4 kParts instructions of 4,096 multiply-adds for each 16 queries and 8 keys of 64 dimensions, and 4 loads
// of 512 bytes of shared memory between two barriers for each 16 keys. The keys and values of a head are read
// once for each 64 queries.
#include "cuda/ops/attention_tiles.cuh"
#include "cuda/ops/mma.cuh"

namespace persimmon::cuda {

namespace {

constexpr int kKeys = 64, kWarpQueries = 16;
/** Numbers from one row in shared memory to the next: the rows of eight lanes begin in different banks. */
constexpr int kPitch = kFastHeadDim + 8;
/** Of the instruction: eights of keys and of dimensions, and sixteens. */
constexpr int kKeyEights = kKeys / 8, kDimEights = kFastHeadDim / 8;
constexpr int kKeySixteens = kKeys / 16, kDimSixteens = kFastHeadDim / 16;

struct Shared {
  alignas(16) uint16_t keys[kKeys][kPitch];
  alignas(16) uint16_t values[kKeys][kPitch];
  float keyScales[kKeys], valueScales[kKeys];  // of int8
  int32_t counts[kTileQueries];  // keys that a query sees, 0 where it belongs to another sequence
};

__device__ __forceinline__ bool isNotFinite(float x) { return x * 0.0f != 0.0f; }

/** Sixteen bytes of a key or a value, as bfloat16; whether one of them is an infinity or a NaN. */
__device__ __forceinline__ bool storeWidened(uint16_t* out, const uint4& bits, uint16_t) {
  *reinterpret_cast<uint4*>(out) = bits;
  float x[8];
  widen(bits, x);
  bool notFinite = false;
  PERSIMMON_UNROLL
  for (int i = 0; i < 8; ++i) notFinite |= isNotFinite(x[i]);
  return notFinite;
}
__device__ __forceinline__ bool storeWidened(uint16_t* out, const uint4& bits, int8_t) {
  float x[16];
  widen(bits, x);
  PERSIMMON_UNROLL
  for (int i = 0; i < 16; i += 8) *reinterpret_cast<uint4*>(out + i) = packed(x + i);
  return false;
}

/** A thread's share of 64 keys and values, on its way from the cache to shared memory. */
template <class T>
struct Fetched {
  /** Numbers in 16 bytes, threads for a row, and rows of each thread. */
  static constexpr int kEach = 16 / static_cast<int>(sizeof(T)), kLanes = kFastHeadDim / kEach,
                       kRows = kKeys * kLanes / kTileThreads;
  uint4 keys[kRows], values[kRows];
  float keyScales[kRows], valueScales[kRows];

  static __device__ int key(int i) { return (static_cast<int>(threadIdx.x) + i * kTileThreads) / kLanes; }
  static __device__ int dimension() { return static_cast<int>(threadIdx.x) % kLanes * kEach; }

  /** Keys and values [from, from + 64), as far as below `end`, and 0 behind. */
  __device__ __forceinline__ void load(const AttendCall& call, int32_t sequence, int32_t head, int32_t from,
                                       int32_t end) {
    PERSIMMON_UNROLL
    for (int i = 0; i < kRows; ++i) {
      keys[i] = values[i] = make_uint4(0, 0, 0, 0);
      keyScales[i] = valueScales[i] = 0;
      if (from + key(i) >= end) continue;
      const int64_t row = cacheRow(call.cache, call.shape.heads, sequence, head, from + key(i));
      const int64_t offset = row * kFastHeadDim + dimension();
      keys[i] = *reinterpret_cast<const uint4*>(static_cast<const T*>(call.cache.keys) + offset);
      values[i] = *reinterpret_cast<const uint4*>(static_cast<const T*>(call.cache.values) + offset);
      if constexpr (kHasScales<T>) {
        keyScales[i] = call.cache.keyScales[row];
        valueScales[i] = call.cache.valueScales[row];
      }
    }
  }

  /** Whether one of them is an infinity or a NaN. */
  __device__ __forceinline__ bool store(Shared& shared) const {
    bool notFinite = false;
    PERSIMMON_UNROLL
    for (int i = 0; i < kRows; ++i) {
      notFinite |= storeWidened(&shared.keys[key(i)][dimension()], keys[i], T{});
      notFinite |= storeWidened(&shared.values[key(i)][dimension()], values[i], T{});
      if (kHasScales<T> && dimension() == 0) {
        shared.keyScales[key(i)] = keyScales[i];
        shared.valueScales[key(i)] = valueScales[i];
      }
    }
    return notFinite;
  }
};

/** Two numbers as the operands of kParts products. */
template <int kParts>
__device__ __forceinline__ void split(float low, float high, uint32_t (&words)[kParts]) {
  if constexpr (kParts == 1) {
    words[0] = uint32_t{toBFloat16(high)} << 16 | toBFloat16(low);
  } else {
    float lows[3], highs[3];
    splitInThree(low, lows);
    splitInThree(high, highs);
    PERSIMMON_UNROLL
    for (int part = 0; part < 3; ++part) words[part] = upperHalves(lows[part], highs[part]);
  }
}

/**
 * What a lane of a warp keeps. With g = lane / 4 and t = lane % 4: of queries g and g + 8 of the warp (first
 * index of max, sum and counts) and of each eight keys, or dimensions, numbers 2t and 2t + 1; four together
 * those of query g and then of g + 8.
 */
template <int kParts>
struct Running {
  uint32_t queries[kDimSixteens][kParts][4];
  float scores[kKeyEights][4];  // and then shares
  float z[kDimEights][4];
  float max[2], sum[2];
  int32_t counts[2];
};

/** Scores of 64 keys. */
template <int kParts>
__device__ __forceinline__ void addScores(Running<kParts>& running, const Shared& shared) {
  const int lane = laneOfWarp();
  PERSIMMON_UNROLL
  for (int n = 0; n < kKeyEights; ++n) {
    float (&score)[4] = running.scores[n];
    score[0] = score[1] = score[2] = score[3] = 0;
    PERSIMMON_UNROLL
    for (int k = 0; k < kDimSixteens; k += 2) {
      uint32_t words[4];
      loadMatrices<false>(words, &shared.keys[8 * n + lane % 8][16 * k + lane / 8 * 8]);
      const uint32_t first[2] = {words[0], words[1]}, second[2] = {words[2], words[3]};
      PERSIMMON_UNROLL
      for (int part = kParts - 1; part >= 0; --part) {  // the small ones first
        addMatrixProduct(score, running.queries[k][part], first);
        addMatrixProduct(score, running.queries[k + 1][part], second);
      }
    }
  }
}

/** The same where a key is infinite or NaN, which parts that are zero must not meet. `q`: where queries g and
 * g + 8 begin, or null. */
template <int kParts>
__device__ __forceinline__ void addScoresOneByOne(Running<kParts>& running, const Shared& shared,
                                                  const float* const (&q)[2], float scale) {
  const int t = laneOfWarp() % 4;
  PERSIMMON_UNROLL
  for (int n = 0; n < kKeyEights; ++n) {
    PERSIMMON_UNROLL
    for (int i = 0; i < 4; ++i) {
      const uint16_t* key = shared.keys[8 * n + 2 * t + i % 2];
      float score = 0;
      if (q[i / 2] != nullptr) {
        PERSIMMON_NO_UNROLL
        for (int d = 0; d < kFastHeadDim; ++d) score = fmaf(q[i / 2][d] * scale, fromBFloat16(key[d]), score);
      }
      running.scores[n][i] = score;
    }
  }
}

/** Scores become shares of the largest so far, to which sums and values are brought. */
template <bool kScaled, int kParts>
__device__ __forceinline__ void takeShares(Running<kParts>& running, const Shared& shared, int32_t from) {
  const int t = laneOfWarp() % 4;
  PERSIMMON_UNROLL
  for (int row = 0; row < 2; ++row) {
    float largest = running.max[row];
    PERSIMMON_UNROLL
    for (int n = 0; n < kKeyEights; ++n) {
      PERSIMMON_UNROLL
      for (int i = 0; i < 2; ++i) {
        float& score = running.scores[n][2 * row + i];
        const int key = 8 * n + 2 * t + i;
        if (kScaled) score *= shared.keyScales[key];
        if (from + key >= running.counts[row]) score = -INFINITY;
        largest = fmaxf(largest, score);
      }
    }
    for (int lanes = 2; lanes > 0; lanes /= 2)
      largest = fmaxf(largest, __shfl_xor_sync(kAllLanes, largest, lanes));
    const float base = exponentBase(largest), shrink = exp2f(running.max[row] - base);
    running.max[row] = largest;
    running.sum[row] *= shrink;
    PERSIMMON_UNROLL
    for (int n = 0; n < kDimEights; ++n) {
      running.z[n][2 * row] *= shrink;
      running.z[n][2 * row + 1] *= shrink;
    }
    PERSIMMON_UNROLL
    for (int n = 0; n < kKeyEights; ++n) {
      PERSIMMON_UNROLL
      for (int i = 0; i < 2; ++i) {
        float& share = running.scores[n][2 * row + i];
        const int key = 8 * n + 2 * t + i;
        share = exp2f(share - base);
        running.sum[row] += share;
        // A key that is not seen may have a scale of NaN.
        if (kScaled) share = from + key < running.counts[row] ? share * shared.valueScales[key] : 0.0f;
      }
    }
  }
}

/** z += shares . values. The products of 64 keys are added by ordinary instructions, because the matrix
 * instruction cuts off what it cannot keep, which would add up over thousands of keys. */
template <int kParts>
__device__ __forceinline__ void addValues(Running<kParts>& running, const Shared& shared) {
  const int lane = laneOfWarp();
  uint32_t shares[kKeySixteens][kParts][4];
  PERSIMMON_UNROLL
  for (int k = 0; k < kKeySixteens; ++k) {
    PERSIMMON_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float (&pair)[4] = running.scores[2 * k + i / 2];
      uint32_t words[kParts];
      split<kParts>(pair[i % 2 * 2], pair[i % 2 * 2 + 1], words);
      PERSIMMON_UNROLL
      for (int part = 0; part < kParts; ++part) shares[k][part][i] = words[part];
    }
  }
  PERSIMMON_UNROLL
  for (int n = 0; n < kDimEights; n += 2) {
    float products[2][4] = {};
    PERSIMMON_UNROLL
    for (int k = 0; k < kKeySixteens; ++k) {
      uint32_t words[4];
      loadMatrices<true>(words, &shared.values[16 * k + lane % 16][8 * n + lane / 16 * 8]);
      const uint32_t first[2] = {words[0], words[1]}, second[2] = {words[2], words[3]};
      PERSIMMON_UNROLL
      for (int part = kParts - 1; part >= 0; --part) {
        addMatrixProduct(products[0], shares[k][part], first);
        addMatrixProduct(products[1], shares[k][part], second);
      }
    }
    PERSIMMON_UNROLL
    for (int i = 0; i < 4; ++i) {
      running.z[n][i] += products[0][i];
      running.z[n + 1][i] += products[1][i];
    }
  }
}

/** The same where a value is infinite or NaN: it must not even be multiplied by zero for a query that does
 * not see it. */
template <int kParts>
__device__ __forceinline__ void addValuesOneByOne(Running<kParts>& running, const Shared& shared,
                                                  int32_t from) {
  const int lane = laneOfWarp(), t = lane % 4;
  PERSIMMON_UNROLL
  for (int eight = 0; eight < kKeyEights; ++eight) {
    PERSIMMON_UNROLL
    for (int i = 0; i < 2; ++i) {
      PERSIMMON_NO_UNROLL
      for (int owner = 0; owner < 4; ++owner) {
        const int key = 8 * eight + 2 * owner + i;
        PERSIMMON_UNROLL
        for (int row = 0; row < 2; ++row) {
          const float share =
              __shfl_sync(kAllLanes, running.scores[eight][2 * row + i], lane / 4 * 4 + owner);
          if (from + key >= running.counts[row]) continue;
          PERSIMMON_UNROLL
          for (int n = 0; n < kDimEights; ++n) {
            PERSIMMON_UNROLL
            for (int j = 0; j < 2; ++j) {
              float& z = running.z[n][2 * row + j];
              z = fmaf(share, fromBFloat16(shared.values[key][8 * n + 2 * t + j]), z);
            }
          }
        }
      }
    }
  }
}

/** Rotated and scaled queries as operands; zeros where there are none. */
template <int kParts>
__device__ __forceinline__ void loadQueries(Running<kParts>& running, const float* const (&q)[2],
                                            float scale) {
  const int t = laneOfWarp() % 4;
  PERSIMMON_UNROLL
  for (int k = 0; k < kDimSixteens; ++k) {
    PERSIMMON_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float* row = q[i % 2];
      const int d = 16 * k + 2 * t + i / 2 * 8;
      uint32_t words[kParts];
      split<kParts>(row != nullptr ? row[d] * scale : 0.0f, row != nullptr ? row[d + 1] * scale : 0.0f,
                    words);
      PERSIMMON_UNROLL
      for (int part = 0; part < kParts; ++part) running.queries[k][part][i] = words[part];
    }
  }
}

/** T: of the cache. Two blocks fit a multiprocessor, with up to 255 registers a thread and 19 KiB. */
template <class T, int kParts>
__global__ void __launch_bounds__(kTileThreads, 2) attendMatrixTilesKernel(AttendCall call) {
  __shared__ Shared shared;
  waitForPrevious();
  const QueryTile tile = queryTile(call);
  const int32_t first = static_cast<int32_t>(threadIdx.x) / kWarp * kWarpQueries + laneOfWarp() / 4;
  const bool inside = *call.inside != 0;
  const auto start = [&](int32_t query) {
    return inside && query < tile.queries ? call.q + tile.at(query) : nullptr;
  };
  const float* const q[2] = {start(first), start(first + 8)};
  Running<kParts> running{};
  running.max[0] = running.max[1] = -INFINITY;
  loadQueries(running, q, call.scale);
  if (inside) {
    eachSequence(call, tile, shared.counts, [&](int32_t sequence, int32_t, int32_t longest) {
      running.counts[0] = shared.counts[first];
      running.counts[1] = shared.counts[first + 8];
      for (int32_t from = 0; from < longest; from += kKeys) {
        Fetched<T> fetched;
        fetched.load(call, sequence, tile.head, from, longest);
        __syncthreads();  // of the keys before nothing is read any more
        const bool notFinite = __syncthreads_or(fetched.store(shared) ? 1 : 0) != 0;
        if (!kHasScales<T> && notFinite) {
          addScoresOneByOne(running, shared, q, call.scale);
        } else {
          addScores(running, shared);
        }
        takeShares<kHasScales<T>>(running, shared, from);
        if (!kHasScales<T> && notFinite) {
          addValuesOneByOne(running, shared, from);
        } else {
          addValues(running, shared);
        }
      }
    });
  }
  const int t = laneOfWarp() % 4;
  PERSIMMON_UNROLL
  for (int row = 0; row < 2; ++row) {
    float sum = running.sum[row];
    for (int lanes = 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(kAllLanes, sum, lanes);
    if (first + 8 * row >= tile.queries) continue;
    float* z = call.z + tile.at(first + 8 * row) + 2 * t;
    PERSIMMON_UNROLL
    for (int n = 0; n < kDimEights; ++n) {
      PERSIMMON_UNROLL
      for (int i = 0; i < 2; ++i) z[8 * n + i] = inside ? running.z[n][2 * row + i] / sum : NAN;
    }
  }
}

}  // namespace

void attendMatrixTiles(Queue& queue, const AttendCall& call) {
  const bool rounds = queue.matmulPrecision() == MatmulPrecision::kMedium;
  const auto start = [&](auto element) {
    using T = decltype(element);
    launch(queue, rounds ? attendMatrixTilesKernel<T, 1> : attendMatrixTilesKernel<T, 3>, tileBlocks(call),
           kTileThreads, {.overlapping = true}, call);
  };
  call.cache.dtype == cpu::DType::kInt8 ? start(int8_t{}) : start(uint16_t{});
}

}  // namespace persimmon::cuda
