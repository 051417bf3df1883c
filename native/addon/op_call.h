// Reads the arguments of an op: stream first, then buffers, then sizes. TypeScript has checked shapes and
// meanings; what is checked here once more is that no op can read or write outside a buffer.
#pragma once

#include <napi.h>

#include <string>
#include <utility>

#include "buffer.h"
#include "errors.h"
#include "stream_object.h"

namespace persimmon {

class OpCall {
 public:
  explicit OpCall(const Napi::CallbackInfo& info) : info_(info), stream_(StreamObject::from(info[0])) {
    failed_ = stream_ == nullptr;
  }

  // True after any argument was refused; a JavaScript exception is then pending.
  bool failed() const { return failed_; }

  int64_t integer(int index) const { return info_[index].ToNumber().Int64Value(); }
  float number(int index) const { return info_[index].ToNumber().FloatValue(); }

  float* floats(int index, int64_t count) {
    return static_cast<float*>(bytes(index, count, sizeof(float), cpu::DType::kFloat32));
  }
  int32_t* integers(int index, int64_t count) {
    return static_cast<int32_t*>(bytes(index, count, sizeof(int32_t), cpu::DType::kInt32));
  }
  // null or undefined where the op can do without
  float* optionalFloats(int index, int64_t count) { return absent(index) ? nullptr : floats(index, count); }

  // A weight of float32 or bfloat16 elements; absent weights have no data.
  cpu::Weight weight(int index, int64_t count) {
    if (absent(index)) return {nullptr, cpu::DType::kFloat32};
    Buffer* buffer = failed_ ? nullptr : Buffer::from(info_[index]);
    if (buffer == nullptr) return refuse();
    const bool half = buffer->dtype() == cpu::DType::kBFloat16;
    if (!half && buffer->dtype() != cpu::DType::kFloat32) {
      return refuse(index, "a weight must be float32 or bfloat16");
    }
    if (!holds(*buffer, count, half ? 2 : 4))
      return refuse(index, "the buffer is smaller than the sizes say");
    return {buffer->data(), buffer->dtype()};
  }

  void enqueue(Command command) { stream_->enqueue(std::move(command)); }

 private:
  bool absent(int index) const { return info_[index].IsNull() || info_[index].IsUndefined(); }

  static bool holds(const Buffer& buffer, int64_t count, int64_t size) {
    return count >= 0 &&
           static_cast<double>(count) * static_cast<double>(size) <= static_cast<double>(buffer.bytes());
  }

  void* bytes(int index, int64_t count, int64_t size, cpu::DType dtype) {
    Buffer* buffer = failed_ ? nullptr : Buffer::from(info_[index]);
    if (buffer == nullptr) {
      failed_ = true;
      return nullptr;
    }
    if (buffer->dtype() != dtype || !holds(*buffer, count, size)) {
      refuse(index, "the buffer has another dtype or is smaller than the sizes say");
      return nullptr;
    }
    return buffer->data();
  }

  cpu::Weight refuse() {
    failed_ = true;
    return {nullptr, cpu::DType::kFloat32};
  }
  cpu::Weight refuse(int index, const char* why) {
    if (!failed_) throwCoded(info_.Env(), "NATIVE_BOUNDS", "argument " + std::to_string(index) + ": " + why);
    return refuse();
  }

  const Napi::CallbackInfo& info_;
  Stream* stream_;
  bool failed_ = false;
};

}  // namespace persimmon
