// What a split model needs beside the ops of a whole one. Collectives are ops like others: recorded in plans
// and replayed. The beginning and the end of a pass are not: they are told each time, also of a pass that is
// cancelled.
#include <cstring>
#include <stdexcept>
#include <vector>

#include "communicator_handle.h"
#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

int64_t wholeNumber(const Napi::Value& value) { return value.ToNumber().Int64Value(); }

// beginPass(stream, communicator, pass, checksum)
void beginPass(const Napi::CallbackInfo& info) {
  Stream* stream = StreamObject::from(info[0]);
  if (stream == nullptr) return;
  const auto communicator = communicatorFrom(info[1]);
  if (communicator == nullptr) return;
  stream->enqueue([communicator, pass = wholeNumber(info[2]), checksum = wholeNumber(info[3])](ThreadPool&) {
    communicator->beginPass(pass, checksum);
  });
}

// endPass(stream, communicator, isRead): where nobody reads from the stream, errors go to the other ranks
// alone
void endPass(const Napi::CallbackInfo& info) {
  Stream* stream = StreamObject::from(info[0]);
  if (stream == nullptr) return;
  const auto communicator = communicatorFrom(info[1]);
  if (communicator == nullptr) return;
  stream->enqueue([communicator, stream, isRead = info[2].ToBoolean().Value()](ThreadPool&) {
    const std::string error = stream->takeError();
    try {
      communicator->endPass(error);
    } catch (const std::exception&) {
      if (isRead && error.empty()) throw;
    }
    if (isRead && !error.empty()) throw std::runtime_error(error);
  });
}

// allReduce(stream, out, x, count, communicator)
void allReduce(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(3);
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  if (call.failed()) return;
  const auto communicator = communicatorFrom(info[4]);
  if (communicator == nullptr) return;
  call.enqueue([=](ThreadPool& pool) { communicator->allReduce(pool, out, x, count); });
}

// allGather(stream, out, x, rows, total, communicator): x [rows, width of this rank], out [rows, total]
void allGather(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), total = call.integer(4);
  if (call.failed()) return;
  const auto communicator = communicatorFrom(info[5]);
  if (communicator == nullptr) return;
  const Part part = partOf(total, communicator->rank(), communicator->ranks());
  float* out = call.floats(1, OpCall::product({rows, total}));
  const float* x = call.floats(2, OpCall::product({rows, part.count}));
  if (call.failed()) return;
  call.enqueue([=](ThreadPool& pool) { communicator->allGather(pool, out, x, rows, total); });
}

// broadcast(stream, out, x, root, communicator): out = the x of rank `root`; float32 or int32, all of it
void broadcast(const Napi::CallbackInfo& info) {
  OpCall call(info);
  Buffer* out = call.buffer(1);
  Buffer* x = call.buffer(2);
  const int64_t root = call.integer(3);
  if (call.failed()) return;
  const auto communicator = communicatorFrom(info[4]);
  if (communicator == nullptr) return;
  call.require(out->bytes() == x->bytes(), 2, "a broadcast needs as many bytes on both sides");
  call.require(root < communicator->ranks(), 3, "there is no such rank");
  if (call.failed()) return;
  uint8_t* target = out->data();
  const uint8_t* source = x->data();
  cuda::Queue* gpu = StreamObject::from(info[0])->gpu();
  call.enqueue([=, bytes = out->bytes(), rank = static_cast<int>(root)](ThreadPool&) {
    if (communicator->rank() == rank) {
      if (gpu == nullptr) {
        std::memcpy(target, source, bytes);
      } else {
        gpu->copy(target, source, bytes);
      }
    }
    communicator->broadcast(target, static_cast<int64_t>(bytes), rank);
  });
}

// idsOfPart(stream, out, ids, tokens, first, rows): ids counted from `first`, or -1 where they are of another
// part
void idsOfPart(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t tokens = call.integer(3), first = call.integer(4), rows = call.integer(5);
  int32_t* out = call.integers(1, tokens);
  const int32_t* ids = call.integers(2, tokens);
  if (call.failed()) return;
  call.run(
      [](ThreadPool&, int32_t* out, const int32_t* ids, int64_t tokens, int64_t first, int64_t rows) {
        for (int64_t i = 0; i < tokens; ++i) {
          const int64_t row = ids[i] - first;
          out[i] = row >= 0 && row < rows ? static_cast<int32_t>(row) : -1;
        }
      },
      cuda::idsOfPart, out, ids, tokens, first, rows);
}

// clearRows(stream, out, x, ids, tokens, width): out = x with zeros in the rows whose id is negative
void clearRows(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t tokens = call.integer(4), width = call.integer(5);
  const int64_t count = OpCall::product({tokens, width});
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  const int32_t* ids = call.integers(3, tokens);
  if (call.failed()) return;
  call.run(
      [](ThreadPool&, float* out, const float* x, const int32_t* ids, int64_t tokens, int64_t width) {
        const size_t bytes = static_cast<size_t>(width) * sizeof(float);
        for (int64_t i = 0; i < tokens; ++i) {
          if (ids[i] < 0) {
            std::memset(out + i * width, 0, bytes);
          } else {
            std::memcpy(out + i * width, x + i * width, bytes);
          }
        }
      },
      cuda::clearRows, out, x, ids, tokens, width);
}

}  // namespace

void exportCommunicatorOps(Napi::Object exports) {
  exportOp<allReduce>(exports, "allReduce");
  exportOp<allGather>(exports, "allGather");
  exportOp<broadcast>(exports, "broadcast");
  exportOp<idsOfPart>(exports, "idsOfPart");
  exportOp<clearRows>(exports, "clearRows");
  exports.Set("beginPass", Napi::Function::New<beginPass>(exports.Env(), "beginPass"));
  exports.Set("endPass", Napi::Function::New<endPass>(exports.Env(), "endPass"));
  exports.Set("localCommunicators",
              Napi::Function::New<localCommunicators>(exports.Env(), "localCommunicators"));
  exports.Set("mpiCommunicator", Napi::Function::New<mpiCommunicator>(exports.Env(), "mpiCommunicator"));
  exports.Set("ncclCommunicators",
              Napi::Function::New<ncclCommunicators>(exports.Env(), "ncclCommunicators"));
  exports.Set("whyCommunicatorIsOver",
              Napi::Function::New<whyCommunicatorIsOver>(exports.Env(), "whyCommunicatorIsOver"));
}

}  // namespace persimmon
