// The matrix instruction for bfloat16, with float32 sums (mma.sync.m16n8k16 of the PTX manual; sm_80 and
// later).
#pragma once

#include "cuda/device.cuh"

#ifdef PERSIMMON_CUDA_EMULATED
#include <cstring>
#endif

namespace persimmon::cuda {

/**
 * sums [16, 8] += a [16, 16] . b [16, 8], by a warp. With g = lane / 4 and t = lane % 4 a lane holds, two to
 * a word: a     rows g, g + 8, g, g + 8 at inputs 2t, 2t, 2t + 8, 2t + 8 (and the input behind each) b inputs
 * 2t and 2t + 8 (and the one behind each) of column g sums  row g, columns 2t and 2t + 1; row g + 8, the same
 */
__device__ __forceinline__ void addMatrixProduct(float (&sums)[4], const uint32_t (&a)[4],
                                                 const uint32_t (&b)[2]) {
#ifdef PERSIMMON_CUDA_EMULATED
  struct Held {
    uint32_t a[4], b[2];
  };
  Held own, of[kWarp];
  std::memcpy(own.a, a, sizeof own.a);
  std::memcpy(own.b, b, sizeof own.b);
  const uint8_t* all = cuda_emulator::exchange(kAllLanes, &own, sizeof own);
  for (int lane = 0; lane < kWarp; ++lane) std::memcpy(&of[lane], all + 64 * lane, sizeof own);
  const auto half = [](uint32_t word, int i) { return i % 2 ? highBFloat16(word) : lowBFloat16(word); };
  for (int i = 0; i < 4; ++i) {
    const int row = cuda_emulator::lane() / 4 + i / 2 * 8, column = cuda_emulator::lane() % 4 * 2 + i % 2;
    for (int k = 0; k < 16; ++k) {
      sums[i] += half(of[row % 8 * 4 + k % 8 / 2].a[row / 8 + k / 8 * 2], k) *
                 half(of[column * 4 + k % 8 / 2].b[k / 8], k);
    }
  }
#else
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#endif
}

/**
 * Four matrices of 8 by 8 bfloat16 from shared memory (ldmatrix), by a warp: lane l says where row l % 8 of
 * matrix l / 8 begins, at a multiple of 16 bytes. A lane gets of each matrix columns 2t and 2t + 1 of row g;
 * kTransposed: rows 2t and 2t + 1 of column g.
 */
template <bool kTransposed>
__device__ __forceinline__ void loadMatrices(uint32_t (&words)[4], const uint16_t* row) {
#ifdef PERSIMMON_CUDA_EMULATED
  const uint16_t* rows[kWarp];
  const uint8_t* all = cuda_emulator::exchange(kAllLanes, &row, sizeof row);
  for (int lane = 0; lane < kWarp; ++lane) std::memcpy(&rows[lane], all + 64 * lane, sizeof row);
  const int g = cuda_emulator::lane() / 4, t = cuda_emulator::lane() % 4;
  for (int i = 0; i < 4; ++i) {
    const uint16_t* const* matrix = rows + 8 * i;
    const uint16_t low = kTransposed ? matrix[2 * t][g] : matrix[g][2 * t];
    const uint16_t high = kTransposed ? matrix[2 * t + 1][g] : matrix[g][2 * t + 1];
    words[i] = uint32_t{high} << 16 | low;
  }
#else
  const auto address = static_cast<uint32_t>(__cvta_generic_to_shared(row));
  // volatile and "memory": the compiler must not move it over a store to the tile, or a barrier.
  if constexpr (kTransposed) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
  } else {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(words[0]), "=r"(words[1]), "=r"(words[2]), "=r"(words[3])
                 : "r"(address)
                 : "memory");
  }
#endif
}

/** The upper halves of two float32: two bfloat16, exact where the numbers are. */
__device__ __forceinline__ uint32_t upperHalves(float low, float high) {
  return __byte_perm(__float_as_uint(low), __float_as_uint(high), 0x7632);
}
/** Eight numbers that are exact in bfloat16. */
__device__ __forceinline__ uint4 packed(const float* n) {
  return make_uint4(upperHalves(n[0], n[1]), upperHalves(n[2], n[3]), upperHalves(n[4], n[5]),
                    upperHalves(n[6], n[7]));
}

/**
 * A float32 as the sum of three bfloat16, in the upper halves of `parts`: its first, second and last eight
 * binary digits, so that nothing of it is lost (of numbers below 2^-103 the last digits). An infinity or a
 * NaN is the first.
 */
__device__ __forceinline__ void splitInThree(float x, float (&parts)[3]) {
  const uint32_t bits = __float_as_uint(x), exponent = 0x7f800000u;
  const bool finite = (bits & exponent) != exponent, nan = (bits & 0x7fffffffu) > exponent;
  parts[0] = __uint_as_float((nan ? bits | 0x00400000u : bits) & 0xffff0000u);
  const float rest = finite ? x - parts[0] : 0.0f;
  parts[1] = __uint_as_float(__float_as_uint(rest) & 0xffff0000u);
  parts[2] = rest - parts[1];
}

}  // namespace persimmon::cuda
