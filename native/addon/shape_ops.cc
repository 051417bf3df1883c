#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// Whether `blocks` blocks of `bytes`, `stride` apart from `offset` on, lie in a buffer. No sum here
// overflows: all are at most 2^53, and the product is checked.
bool holdsBlocks(const Buffer& buffer, int64_t offset, int64_t stride, int64_t bytes, int64_t blocks) {
  const int64_t size = static_cast<int64_t>(buffer.bytes());
  if (blocks == 0 || bytes == 0) return true;
  const int64_t last = OpCall::product({blocks - 1, stride});
  return last <= size && offset <= size && bytes <= size && offset + last + bytes <= size;
}

// slice(stream, out, outOffset, outStride, x, offset, stride, bytes, blocks): copies blocks of bytes that lie
// at regular distances in both buffers. concat is the same, once for each tensor.
void copyBlocks(const Napi::CallbackInfo& info) {
  OpCall call(info);
  Buffer* out = call.buffer(1);
  const int64_t outOffset = call.integer(2), outStride = call.integer(3);
  Buffer* x = call.buffer(4);
  const int64_t offset = call.integer(5), stride = call.integer(6);
  const int64_t bytes = call.integer(7), blocks = call.integer(8);
  if (call.failed()) return;
  call.require(holdsBlocks(*out, outOffset, outStride, bytes, blocks), 1,
               "the copy must lie inside the buffer");
  call.require(holdsBlocks(*x, offset, stride, bytes, blocks), 4, "the copy must lie inside the buffer");
  // Threads write blocks at the same time, so these must not overlap.
  call.require(bytes <= outStride || blocks <= 1, 3, "the blocks written must not overlap");
  call.require(out->storage() != x->storage(), 4, "the copy must have memory of its own");
  if (call.failed() || bytes == 0 || blocks == 0) return;
  uint8_t* target = out->data() + outOffset;
  const uint8_t* source = x->data() + offset;
  call.run(cpu::copyBlocks, cuda::copyBlocks, target, outStride, source, stride, bytes, blocks);
}

// transpose(stream, out, x, batch, rows, columns)
void transpose(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t batch = call.integer(3), rows = call.integer(4), columns = call.integer(5);
  const int64_t count = OpCall::product({batch, rows, columns});
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  call.require(out != x || count <= 1, 1, "the result must have memory of its own");
  if (call.failed() || count == 0) return;
  call.run(cpu::transpose, cuda::transpose, out, x, batch, rows, columns);
}

// transposeWeight(stream, out, x, rows, columns)
void transposeWeight(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), columns = call.integer(4);
  const int64_t count = OpCall::product({rows, columns});
  const cpu::Weight out = call.anyWeight(1, count), x = call.anyWeight(2, count);
  call.require(out.dtype == x.dtype, 1, "the result must have the type of the weight");
  call.require(out.data != x.data || count <= 1, 1, "the result must have memory of its own");
  if (call.failed() || count == 0) return;
  call.run(cpu::transposeWeight, cuda::transposeWeight, const_cast<void*>(out.data), x, rows, columns);
}

// countNonFiniteWeights(stream, out, x, count)
void countNonFiniteWeights(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(3);
  int32_t* out = call.integers(1, 1);
  const cpu::Weight x = call.weight(2, count);
  if (call.failed()) return;
  call.run(cpu::countNonFiniteWeights, cuda::countNonFiniteWeights, out, x, count);
}

}  // namespace

void exportShapeOps(Napi::Object exports) {
  exportOp<copyBlocks>(exports, "slice");
  exportOp<copyBlocks>(exports, "concat");
  exportOp<transpose>(exports, "transpose");
  exportOp<transposeWeight>(exports, "transposeWeight");
  exportOp<countNonFiniteWeights>(exports, "countNonFiniteWeights");
}

}  // namespace persimmon
