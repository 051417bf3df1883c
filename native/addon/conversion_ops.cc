#include <algorithm>
#include <cstring>

#include "../core/scramble.h"
#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

bool isFloat(cpu::DType dtype) {
  return dtype == cpu::DType::kFloat32 || dtype == cpu::DType::kBFloat16 || dtype == cpu::DType::kFloat16;
}

void convertOnCpu(ThreadPool& pool, void* out, cpu::DType to, const void* x, cpu::DType from, int64_t count) {
  auto* target = static_cast<uint8_t*>(out);
  const auto* source = static_cast<const uint8_t*>(x);
  if (to == from) {
    std::memcpy(target, source, static_cast<size_t>(count * elementBytes(to)));
  } else if (to == cpu::DType::kFloat32) {
    cpu::convertToFloat32(pool, static_cast<float*>(out), source, from, count);
  } else if (from == cpu::DType::kFloat32) {
    cpu::convertToBFloat16(pool, static_cast<uint16_t*>(out), static_cast<const float*>(x), count);
  } else {
    // float16 to bfloat16 passes through float32, a block at a time.
    constexpr int64_t kBlock = 4096;
    float block[kBlock];
    for (int64_t at = 0; at < count; at += kBlock) {
      const int64_t size = std::min(kBlock, count - at);
      cpu::convertToFloat32(pool, block, source + 2 * at, from, size);
      cpu::convertToBFloat16(pool, static_cast<uint16_t*>(out) + at, block, size);
    }
  }
}

// convert(stream, out, x, count): between the dtypes of the two buffers; float32 and bfloat16 out, also
// float16 in
void convert(const Napi::CallbackInfo& info) {
  OpCall call(info);
  Buffer* out = call.buffer(1);
  Buffer* x = call.buffer(2);
  const int64_t count = call.integer(3);
  if (call.failed()) return;
  const cpu::DType to = out->dtype(), from = x->dtype();
  if (count < 0 || count * elementBytes(to) > static_cast<int64_t>(out->bytes()) ||
      count * elementBytes(from) > static_cast<int64_t>(x->bytes()) || !isFloat(to) || !isFloat(from)) {
    throwCoded(info.Env(), "NATIVE_BOUNDS", "convert needs float buffers that hold `count` elements");
    return;
  }
  uint8_t* target = out->data();
  const uint8_t* source = x->data();
  call.run(convertOnCpu, cuda::convert, target, to, source, from, count);
}

// quantizeRows(stream, out int8, scales, x, rows, columns)
void quantizeRows(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), columns = call.integer(5);
  const int64_t count = OpCall::product({rows, columns});
  int8_t* out = call.bytes(1, count);
  float* scales = call.floats(2, rows);
  const cpu::Weight x = call.weight(3, count);
  if (call.failed() || count == 0) return;
  call.run(cpu::quantizeRows, cuda::quantizeRows, out, scales, x, rows, columns);
}

// dequantizeRows(stream, out, x int8, scales, rows, columns)
void dequantizeRows(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), columns = call.integer(5);
  const int64_t count = OpCall::product({rows, columns});
  float* out = call.floats(1, count);
  const int8_t* x = call.bytes(2, count);
  const float* scales = call.floats(3, rows);
  if (call.failed() || count == 0) return;
  call.run(cpu::dequantizeRows, cuda::dequantizeRows, out, x, scales, rows, columns);
}

// quantizeGroups(stream, out int4, scales bfloat16, x, rows, columns): in the order of rows
void quantizeGroups(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), columns = call.integer(5);
  const cpu::Int4Matrix out = call.int4(1, 2, rows, columns, cpu::WeightOrder::kRows);
  const cpu::Weight x = call.weight(3, OpCall::product({rows, columns}));
  if (call.failed() || rows == 0 || columns == 0) return;
  call.run(cpu::quantizeGroups, cuda::quantizeGroups, out.elements, out.scales, x, rows, columns);
}

// dequantizeGroups(stream, out, x int4, scales bfloat16, rows, columns): of the order of rows
void dequantizeGroups(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(4), columns = call.integer(5);
  float* out = call.floats(1, OpCall::product({rows, columns}));
  const cpu::Int4Matrix x = call.int4(2, 3, rows, columns, cpu::WeightOrder::kRows);
  if (call.failed() || rows == 0 || columns == 0) return;
  call.run(cpu::dequantizeGroups, cuda::dequantizeGroups, out, x.elements, x.scales, rows, columns);
}

cpu::WeightOrder orderAt(OpCall& call, int index) {
  const int64_t order = call.integer(index);
  call.require(order <= static_cast<int64_t>(cpu::WeightOrder::kInputs), index, "an order of int4 weights");
  return call.failed() ? cpu::WeightOrder::kRows : static_cast<cpu::WeightOrder>(order);
}

// arrangeGroups(stream, out int4, outScales, to, x int4, scales, from, rows, columns)
void arrangeGroups(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const cpu::WeightOrder to = orderAt(call, 3), from = orderAt(call, 6);
  const int64_t rows = call.integer(7), columns = call.integer(8);
  call.require(to == from || to == cpu::WeightOrder::kRows || from == cpu::WeightOrder::kRows, 3,
               "one of the orders must be that of rows");
  const cpu::Int4Matrix out = call.int4(1, 2, rows, columns, to);
  const cpu::Int4Matrix x = call.int4(4, 5, rows, columns, from);
  if (call.failed() || rows == 0 || columns == 0) return;
  call.run(cpu::arrangeGroups, cuda::arrangeGroups, out, to, x, from, rows, columns);
}

// int8ToTiles(stream, out int8, x int8, rows, columns)
void int8ToTiles(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), columns = call.integer(4);
  auto* out = reinterpret_cast<uint8_t*>(call.int8Tiles(1, rows, columns));
  const int8_t* x = call.bytes(2, OpCall::product({rows, columns}));
  if (call.failed() || rows == 0 || columns == 0) return;
  call.run(cpu::int8ToTiles, cuda::int8ToTiles, out, x, rows, columns);
}

// int8FromTiles(stream, out int8, x int8, rows, columns)
void int8FromTiles(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), columns = call.integer(4);
  int8_t* out = call.bytes(1, OpCall::product({rows, columns}));
  const auto* x = reinterpret_cast<const uint8_t*>(call.int8Tiles(2, rows, columns));
  if (call.failed() || rows == 0 || columns == 0) return;
  call.run(cpu::int8FromTiles, cuda::int8FromTiles, out, x, rows, columns);
}

// copyBytes(stream, out, outOffset, x, offset, bytes)
void copyBytes(const Napi::CallbackInfo& info) {
  OpCall call(info);
  Buffer* out = call.buffer(1);
  Buffer* x = call.buffer(3);
  const int64_t outOffset = call.integer(2), offset = call.integer(4), bytes = call.integer(5);
  if (call.failed()) return;
  if (outOffset < 0 || offset < 0 || bytes < 0 || outOffset + bytes > static_cast<int64_t>(out->bytes()) ||
      offset + bytes > static_cast<int64_t>(x->bytes())) {
    throwCoded(info.Env(), "NATIVE_BOUNDS", "a copy must lie inside both buffers");
    return;
  }
  uint8_t* target = out->data() + outOffset;
  const uint8_t* source = x->data() + offset;
  const auto size = static_cast<size_t>(bytes);
  call.run([=](ThreadPool&) { std::memmove(target, source, size); },
           [=](cuda::Queue& gpu) { gpu.copy(target, source, size); });
}

void fillOnCpu(ThreadPool& pool, void* out, cpu::DType dtype, int64_t count, float mean, float deviation,
               uint64_t seed) {
  auto* target = static_cast<uint8_t*>(out);
  pool.parallel([=](int part, int parts) {
    for (int64_t i = count * part / parts; i < count * (part + 1) / parts; ++i) {
      const float value = mean + deviation * nearNormal(seed + static_cast<uint64_t>(i));
      uint32_t word;
      std::memcpy(&word, &value, sizeof(word));
      if (dtype == cpu::DType::kFloat32) {
        std::memcpy(target + 4 * i, &word, 4);
      } else {
        const auto high = static_cast<uint16_t>(word >> 16);
        std::memcpy(target + 2 * i, &high, 2);
      }
    }
  });
}

// fillNormal(stream, out, count, mean, deviation, seed, first): the numbers from `first` on of those that the
// seed gives; independent of the number of threads
void fillNormal(const Napi::CallbackInfo& info) {
  OpCall call(info);
  Buffer* out = call.buffer(1);
  const int64_t count = call.integer(2);
  const float mean = call.number(3), deviation = call.number(4);
  const uint64_t seed =
      scramble(static_cast<uint64_t>(call.integer(5))) + static_cast<uint64_t>(call.integer(6));
  if (call.failed()) return;
  const cpu::DType dtype = out->dtype();
  if (count < 0 || count * elementBytes(dtype) > static_cast<int64_t>(out->bytes()) ||
      (dtype != cpu::DType::kFloat32 && dtype != cpu::DType::kBFloat16)) {
    throwCoded(info.Env(), "NATIVE_BOUNDS",
               "fillNormal needs a float32 or bfloat16 buffer of `count` elements");
    return;
  }
  uint8_t* target = out->data();
  call.run(fillOnCpu, cuda::fillNormal, target, dtype, count, mean, deviation, seed);
}

// readBandwidth(stream, x, out: Float64 result as float32 buffer of one element): gigabytes a second of one
// pass over x
void readBandwidth(const Napi::CallbackInfo& info) {
  OpCall call(info);
  Buffer* x = call.buffer(1);
  float* out = x == nullptr ? nullptr : call.floats(2, 1);
  if (out == nullptr) return;
  const uint8_t* data = x->data();
  const size_t bytes = x->bytes();
  call.run([=](ThreadPool& pool) { *out = static_cast<float>(cpu::readBandwidth(pool, data, bytes)); },
           [=](cuda::Queue& gpu) { cuda::readBandwidth(gpu, out, data, bytes); });
}

// weightTraffic(stream, out): two 64-bit integers, the bytes of weights that products have read and left out
// so far
void weightTraffic(const Napi::CallbackInfo& info) {
  OpCall call(info);
  int32_t* out = call.integers(1, 4);
  if (call.failed()) return;
  call.run(
      [](ThreadPool& pool, int32_t* counters) {
        const int64_t counts[2] = {pool.weightTraffic().read, pool.weightTraffic().skipped};
        std::memcpy(counters, counts, sizeof counts);
      },
      cuda::weightTraffic, out);
}

}  // namespace

void exportConversionOps(Napi::Object exports) {
  exportOp<convert>(exports, "convert");
  exportOp<quantizeRows>(exports, "quantizeRows");
  exportOp<dequantizeRows>(exports, "dequantizeRows");
  exportOp<quantizeGroups>(exports, "quantizeGroups");
  exportOp<dequantizeGroups>(exports, "dequantizeGroups");
  exportOp<arrangeGroups>(exports, "arrangeGroups");
  exportOp<int8ToTiles>(exports, "int8ToTiles");
  exportOp<int8FromTiles>(exports, "int8FromTiles");
  exportOp<copyBytes>(exports, "copyBytes");
  exportOp<fillNormal>(exports, "fillNormal");
  exportOp<weightTraffic>(exports, "weightTraffic");
  exportOp<readBandwidth>(exports, "readBandwidth");
}

}  // namespace persimmon
