// Widening to float32. Bytes per element: 2 or 4 read, 4 written.
#include "cpu/isa.h"
#include "cpu/simd/vec.h"

namespace persimmon::cpu::PERSIMMON_ISA {

namespace {

// Exact for every float16, subnormals and infinities included, without the F16C instructions: shift the
// fields into place as a float32 whose exponent is 112 too small, and multiply by 2^112.
float widenHalf(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(half & 0x7FFF) << 13;
  float value;
  __builtin_memcpy(&value, &magnitude, sizeof value);
  value *= 0x1p112f;
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  if (magnitude >= 0x0F800000u) bits |= 0x7F800000u;  // an exponent of all ones stays one
  bits |= sign;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace

void convertToFloat32(ThreadPool& pool, float* out, const void* x, DType from, int64_t count) {
  const auto* bytes = static_cast<const unsigned char*>(x);
  parallelChunks(pool, count, 16384, [&](int64_t begin, int64_t end) {
    switch (from) {
      case DType::kFloat32:
        __builtin_memcpy(out + begin, bytes + begin * 4, static_cast<size_t>(end - begin) * 4);
        break;
      case DType::kBFloat16:
        for (int64_t i = begin; i < end; i += kLanes) {
          storeUpTo(out + i, loadUpTo(reinterpret_cast<const BFloat16*>(bytes) + i, end - i), end - i);
        }
        break;
      case DType::kFloat16:
        for (int64_t i = begin; i < end; ++i) {
          uint16_t half;
          __builtin_memcpy(&half, bytes + i * 2, sizeof half);
          out[i] = widenHalf(half);
        }
        break;
      case DType::kInt32:
        for (int64_t i = begin; i < end; ++i) {
          int32_t value;
          __builtin_memcpy(&value, bytes + i * 4, sizeof value);
          out[i] = static_cast<float>(value);
        }
        break;
      case DType::kInt8:
      case DType::kInt4:
        break;  // weights of products only, which nobody converts
    }
  });
}

}  // namespace persimmon::cpu::PERSIMMON_ISA
