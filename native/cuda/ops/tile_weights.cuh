// Weights on their way to the matrix instruction: 128 outputs of 32 inputs in shared memory as bfloat16,
// which whole numbers of int8 and int4 are exactly. Each format has `fetch`, what a thread loads early into
// registers, and `store`.
#pragma once

#include "cuda/ops/mma.cuh"
#include "cuda/ops/weights.cuh"

namespace persimmon::cuda {

constexpr int kTileOutputs = 128;
constexpr int kTileInputs = 32;
constexpr int kProductThreads = 256;
// bfloat16 from one row of a tile in shared memory to the next: with 20 words the eight rows of four words
// that loadMatrices reads together lie in different banks.
constexpr int kTilePitch = 40;

struct FetchedWeights {
  uint4 raw[2];
};

/** Where a tile begins, and where the outputs and the inputs end that its block has to do with. */
struct TilePlace {
  int64_t output, input, outputsEnd, inputsEnd;
};

/** Formats that have the inputs of an output side by side: a thread takes twice eight inputs of one output.
 */
template <class Format>
struct TileByOutput {
  Format format;
  bool aligned;

  __device__ void fetch(FetchedWeights& to, const TilePlace& at) const {
    PERSIMMON_UNROLL
    for (int j = 0; j < 2; ++j) {
      const int index = static_cast<int>(threadIdx.x) + j * kProductThreads;
      const int64_t o = at.output + index / 4, k = at.input + index % 4 * 8;
      to.raw[j] = o < at.outputsEnd && k < at.inputsEnd ? eight(o, k, at.inputsEnd) : noWeights();
    }
  }
  __device__ void store(uint16_t* tile, const FetchedWeights& from) const {
    PERSIMMON_UNROLL
    for (int j = 0; j < 2; ++j) {
      const int index = static_cast<int>(threadIdx.x) + j * kProductThreads;
      *reinterpret_cast<uint4*>(tile + index / 4 * kTilePitch + index % 4 * 8) = widened8(from.raw[j]);
    }
  }

  /** Eight inputs of an output as they are stored, and as bfloat16. */
  __device__ uint4 eight(int64_t o, int64_t k, int64_t inputsEnd) const {
    constexpr bool kPlain = std::is_same_v<Format, PlainRows<uint16_t>>,
                   kInt8 = std::is_same_v<Format, Int8Tiles>;
    if (aligned) {
      if constexpr (kPlain) {
        return __ldcg(reinterpret_cast<const uint4*>(format.data + o * format.inFeatures + k));
      } else {
        const auto* group =
            reinterpret_cast<const uint32_t*>(format.group(o / cpu::kWeightTile, k / cpu::kGroupInputs));
        const int64_t word = k % cpu::kGroupInputs / 8, output = o % cpu::kWeightTile;
        if constexpr (kInt8) {
          return make_uint4(__ldcg(group + word * 32 + output), __ldcg(group + word * 32 + 16 + output), 0,
                            0);
        } else {
          return make_uint4(__ldcg(group + word * 16 + output), 0, 0, 0);
        }
      }
    }
    // One by one, put together as they would have been loaded.
    float n[8];
    PERSIMMON_UNROLL
    for (int i = 0; i < 8; ++i) n[i] = k + i < inputsEnd ? format.number(o, k + i) : 0.0f;
    if constexpr (kPlain) {
      return packed(n);
    } else {
      uint32_t words[2] = {0, 0};
      PERSIMMON_UNROLL
      for (int i = 0; i < 8; ++i) {
        const auto number =
            static_cast<uint32_t>(static_cast<int>(n[i]) + (kInt8 ? cpu::kInt8Zero : cpu::kInt4Zero));
        words[kInt8 ? i % 2 : 0] |= number << (kInt8 ? i / 2 * 8 : i * 4);
      }
      return make_uint4(words[0], words[1], 0, 0);
    }
  }
  static __device__ uint4 widened8(const uint4& raw) {
    if constexpr (std::is_same_v<Format, PlainRows<uint16_t>>) {
      return raw;
    } else {
      float n[8];
      if constexpr (std::is_same_v<Format, Int8Tiles>) {
        PERSIMMON_UNROLL
        for (int i = 0; i < 8; ++i) n[i] = byteNumber(i % 2 ? raw.y : raw.x, i / 2, cpu::kInt8Zero);
      } else {
        widenWord(raw.x, n);
      }
      return packed(n);
    }
  }
};

/** Formats that have the outputs of an input side by side: a thread takes eight outputs of two inputs. */
template <class Format>
struct TileByInput {
  Format format;
  bool aligned;

  __device__ void fetch(FetchedWeights& to, const TilePlace& at) const {
    const int64_t o = at.output + threadIdx.x / 16 * 8, k = at.input + threadIdx.x % 16 * 2;
    PERSIMMON_UNROLL
    for (int j = 0; j < 2; ++j) {
      const bool inside = o < at.outputsEnd && k + j < at.inputsEnd;
      to.raw[j] = inside ? format.eight(o, k + j, aligned) : Format::nothing();
    }
  }
  __device__ void store(uint16_t* tile, const FetchedWeights& from) const {
    float n[2][8];
    PERSIMMON_UNROLL
    for (int j = 0; j < 2; ++j) format.widen8(from.raw[j], threadIdx.x / 16 % 8 >= 4, n[j]);
    uint16_t* to = tile + threadIdx.x / 16 * 8 * kTilePitch + threadIdx.x % 16 * 2;
    PERSIMMON_UNROLL
    for (int i = 0; i < 8; ++i)
      *reinterpret_cast<uint32_t*>(to + i * kTilePitch) = upperHalves(n[0][i], n[1][i]);
  }
};

/** bfloat16 [inFeatures, outFeatures]. Only the outputs that there are, of eight. */
struct BFloat16Inputs {
  const uint16_t* data;
  int64_t outFeatures;
  static __device__ uint4 nothing() { return noWeights(); }
  __device__ uint4 eight(int64_t o, int64_t k, bool aligned) const {
    const uint16_t* at = data + k * outFeatures + o;
    if (aligned) return __ldcg(reinterpret_cast<const uint4*>(at));
    float n[8];
    PERSIMMON_UNROLL
    for (int i = 0; i < 8; ++i) n[i] = o + i < outFeatures ? fromBFloat16(at[i]) : 0.0f;
    return packed(n);
  }
  __device__ void widen8(const uint4& raw, bool, float (&n)[8]) const { widen(raw, n); }
  __device__ float scale(int64_t, int64_t) const { return 1.0f; }
};

/** int8 [inFeatures, outFeatures]. */
struct Int8Inputs {
  const int8_t* data;
  const float* scales;
  int64_t outFeatures;
  static __device__ uint4 nothing() { return noWeights(); }
  __device__ uint4 eight(int64_t o, int64_t k, bool aligned) const {
    const int8_t* at = data + k * outFeatures + o;
    if (aligned) {
      const uint2 both = __ldcg(reinterpret_cast<const uint2*>(at));
      return make_uint4(both.x, both.y, 0, 0);
    }
    uint32_t words[2] = {0, 0};
    PERSIMMON_UNROLL
    for (int i = 0; i < 8; ++i) {
      if (o + i < outFeatures) words[i / 4] |= uint32_t{static_cast<uint8_t>(at[i])} << (i % 4 * 8);
    }
    return make_uint4(words[0], words[1], 0, 0);
  }
  __device__ void widen8(const uint4& raw, bool, float (&n)[8]) const {
    PERSIMMON_UNROLL
    for (int i = 0; i < 8; ++i) n[i] = byteNumber((i < 4 ? raw.x : raw.y) ^ 0x80808080u, i % 4, 128);
  }
  __device__ float scale(int64_t o, int64_t) const { return scales[o]; }
};

/** int4 by input; `outputs` with those that fill up the last 64. Eight outputs are the same halves of eight
 * bytes. */
struct Int4Inputs {
  const uint8_t* data;
  const uint16_t* scales;
  int64_t outputs;
  static __device__ uint4 nothing() { return make_uint4(0x88888888u, 0x88888888u, 0, 0); }
  __device__ uint4 eight(int64_t o, int64_t k, bool) const {
    const int64_t unit = o / cpu::kInt4Unit, byte = o % (cpu::kInt4Unit / 2);
    const uint2 both =
        __ldcg(reinterpret_cast<const uint2*>(data + k * (outputs / 2) + unit * (cpu::kInt4Unit / 2) + byte));
    return make_uint4(both.x, both.y, 0, 0);
  }
  __device__ void widen8(const uint4& raw, bool upper, float (&n)[8]) const {
    PERSIMMON_UNROLL
    for (int i = 0; i < 8; ++i) {
      const uint32_t word = i < 4 ? raw.x : raw.y;
      n[i] = byteNumber((upper ? word >> 4 : word) & 0x0f0f0f0fu, i % 4, cpu::kInt4Zero);
    }
  }
  __device__ float scale(int64_t o, int64_t k) const {
    return fromBFloat16(scales[k / cpu::kGroupInputs * outputs + o]);
  }
};

}  // namespace persimmon::cuda
