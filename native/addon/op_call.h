// Reads the arguments of an op: stream first, then buffers, then sizes. TypeScript has checked shapes and
// meanings; what is checked here once more is that no op can read or write outside a buffer.
#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

#include "../core/plan.h"
#include "../cuda/ops.h"
#include "buffer.h"
#include "errors.h"
#include "stream_object.h"

namespace persimmon {

inline int64_t elementBytes(cpu::DType dtype) {
  if (dtype == cpu::DType::kInt8 || dtype == cpu::DType::kInt4) return 1;  // int4: two elements
  return dtype == cpu::DType::kFloat32 || dtype == cpu::DType::kInt32 ? 4 : 2;
}

class OpCall {
 public:
  explicit OpCall(const Napi::CallbackInfo& info) : info_(info), stream_(StreamObject::from(info[0])) {
    failed_ = stream_ == nullptr;
    if (!failed_ && stream_->isRecording() && info.Data() != nullptr) {
      description_ = static_cast<const char*>(info.Data());
    }
  }

  // True after any argument was refused; a JavaScript exception is then pending.
  bool failed() const { return failed_; }

  // A whole number from 0 to 2^53.
  int64_t integer(int index) { return integerFrom(info_[index], index); }
  float number(int index) {
    const Napi::Value value = info_[index];
    if (failed_ || !value.IsNumber()) return refuse(index, "expected a number"), 0.0f;
    return value.As<Napi::Number>().FloatValue();
  }
  // A whole number among the fields of the object at `index`.
  int64_t field(int index, const char* name) {
    if (failed_ || !info_[index].IsObject()) return refuse(index, "expected an object of sizes"), 0;
    return integerFrom(info_[index].As<Napi::Object>().Get(name), index);
  }
  // A Float64Array of at least `count` numbers, or nullptr.
  const double* doubles(int index, int64_t count) {
    const Napi::Value value = info_[index];
    const bool fits = !failed_ && value.IsTypedArray() &&
                      value.As<Napi::TypedArray>().TypedArrayType() == napi_float64_array &&
                      static_cast<int64_t>(value.As<Napi::TypedArray>().ElementLength()) >= count;
    if (!fits) return refuse(index, "expected a Float64Array with a number for each row"), nullptr;
    return value.As<Napi::Float64Array>().Data();
  }
  // Refuses the call unless the condition holds.
  void require(bool condition, int index, const char* why) {
    if (!condition) refuse(index, why);
  }

  // Elements of a shape; the largest number there is where it would overflow, which no buffer holds.
  static int64_t product(std::initializer_list<int64_t> sizes) {
    int64_t result = 1;
    bool overflow = false;
    for (const int64_t size : sizes) {
      if (size == 0) return 0;
      overflow = overflow || __builtin_mul_overflow(result, size, &result);
    }
    return overflow ? std::numeric_limits<int64_t>::max() : result;
  }

  float* floats(int index, int64_t count) {
    return static_cast<float*>(bytes(index, count, sizeof(float), cpu::DType::kFloat32));
  }
  int8_t* bytes(int index, int64_t count) {
    return static_cast<int8_t*>(bytes(index, count, 1, cpu::DType::kInt8));
  }
  int32_t* integers(int index, int64_t count) {
    return static_cast<int32_t*>(bytes(index, count, sizeof(int32_t), cpu::DType::kInt32));
  }
  int32_t* optionalIntegers(int index, int64_t count) {
    return absent(index) ? nullptr : integers(index, count);
  }
  // null or undefined where the op can do without
  float* optionalFloats(int index, int64_t count) { return absent(index) ? nullptr : floats(index, count); }

  // A buffer of any dtype and size, which the op checks itself.
  Buffer* buffer(int index) {
    Buffer* found = failed_ ? nullptr : Buffer::from(info_[index]);
    if (found == nullptr || !isHere(*found, index)) return refuse(), nullptr;
    keepForReplay(*found);
    return found;
  }

  // A weight of float32 or bfloat16 elements, or one without data where the argument is null or undefined.
  cpu::Weight optionalWeight(int index, int64_t count) {
    return absent(index) ? cpu::Weight{nullptr, cpu::DType::kFloat32} : weight(index, count);
  }

  // A weight of float32 or bfloat16 elements.
  cpu::Weight weight(int index, int64_t count) {
    const cpu::Weight found = anyWeight(index, count);
    if (found.dtype == cpu::DType::kInt8) return refuse(index, "a weight must be float32 or bfloat16");
    return found;
  }

  // Also int8, without its scales.
  cpu::Weight anyWeight(int index, int64_t count) {
    if (absent(index)) return refuse(index, "a weight is needed");
    Buffer* buffer = failed_ ? nullptr : Buffer::from(info_[index]);
    if (buffer == nullptr) return refuse();
    const cpu::DType dtype = buffer->dtype();
    if (dtype != cpu::DType::kFloat32 && dtype != cpu::DType::kBFloat16 && dtype != cpu::DType::kInt8) {
      return refuse(index, "a weight must be float32 or bfloat16");
    }
    if (!holds(*buffer, count, elementBytes(dtype)))
      return refuse(index, "the buffer is smaller than the sizes say");
    if (!isHere(*buffer, index)) return refuse();
    keepForReplay(*buffer);
    return {buffer->data(), dtype};
  }

  // The weight of a product with `rows` outputs: also int8 and, in this order, int4, with scales at
  // `scalesIndex`.
  cpu::Weight matrix(int index, int scalesIndex, int64_t rows, int64_t columns, cpu::WeightOrder order) {
    const int64_t count = product({rows, columns});
    if (absent(scalesIndex)) return weight(index, count);
    Buffer* buffer = failed_ ? nullptr : Buffer::from(info_[index]);
    if (buffer == nullptr) return refuse();
    if (buffer->dtype() != cpu::DType::kInt4) {
      int8_t* elements =
          order == cpu::WeightOrder::kTiles ? int8Tiles(index, rows, columns) : bytes(index, count);
      return {elements, cpu::DType::kInt8, floats(scalesIndex, rows)};
    }
    const cpu::Int4Matrix found = int4(index, scalesIndex, rows, columns, order);
    return {found.elements, cpu::DType::kInt4, found.scales};
  }

  int8_t* int8Tiles(int index, int64_t rows, int64_t columns) {
    require(areSizes(rows, columns), index, "sizes of a matrix");
    return failed_ ? nullptr : bytes(index, cpu::int8TileBytes(rows, columns));
  }

  // int4 elements and their bfloat16 scales.
  cpu::Int4Matrix int4(int index, int scalesIndex, int64_t rows, int64_t columns, cpu::WeightOrder order) {
    require(areSizes(rows, columns), index, "sizes of a matrix");
    require(columns % cpu::kGroupInputs == 0, index, "int4 needs a multiple of 32 columns");
    if (failed_) return {nullptr, nullptr};
    return {static_cast<uint8_t*>(bytes(index, cpu::int4Bytes(order, rows, columns), 1, cpu::DType::kInt4)),
            static_cast<uint16_t*>(bytes(scalesIndex, cpu::int4Scales(order, rows, columns), sizeof(uint16_t),
                                         cpu::DType::kBFloat16))};
  }

  // What the op computes, for a plan that may join it with its neighbours; before it is put on the stream.
  void describeAs(OpRecord record) { record_ = std::move(record); }

  // Puts the op on the stream, with these arguments: the version of the stream's device.
  template <class OnCpu, class OnGpu, class... Arguments>
  void run(OnCpu onCpu, OnGpu onGpu, const Arguments&... arguments) {
    if (cuda::Queue* gpu = stream_->gpu()) {
      enqueue([=](ThreadPool&) { onGpu(*gpu, arguments...); });
    } else {
      enqueue([=](ThreadPool& pool) { onCpu(pool, arguments...); });
    }
  }

  // Puts the op on the stream, and into the plan that is being recorded, if one is.
  void enqueue(Command command) {
    stream_->launch(std::move(command), std::move(description_), std::move(record_));
  }

 private:
  bool absent(int index) const { return info_[index].IsNull() || info_[index].IsUndefined(); }

  int64_t integerFrom(const Napi::Value& value, int index) {
    constexpr double kLargest = 9007199254740992.0;
    const double number = failed_ || !value.IsNumber() ? -1.0 : value.As<Napi::Number>().DoubleValue();
    if (!(number >= 0 && number <= kLargest)) return refuse(index, "expected a whole number from 0"), 0;
    if (stream_->isRecording())
      description_.append(1, ' ').append(std::to_string(static_cast<int64_t>(number)));
    return static_cast<int64_t>(number);
  }

  // A plan holds what its ops use and does not own. Its own blocks it must not hold: they are used again.
  void keepForReplay(const Buffer& buffer) {
    if (!stream_->isRecording() || buffer.storage()->isFrom(*stream_->memory())) return;
    stream_->segment()->storages.insert(buffer.storage());
  }

  // Only its own stream knows when a buffer is written and when its memory may be used again.
  bool isHere(const Buffer& buffer, int index) {
    if (buffer.isOn(*stream_)) return true;
    throwCoded(
        info_.Env(), "DEVICE_MISMATCH",
        "argument " + std::to_string(index) +
            " is a tensor of another device: tensors that meet in an op must be on one (models loaded with "
            "different `threads` are on different devices, and so are a GPU and the CPU: tensor.to(device) "
            "copies)");
    return false;
  }

  static bool holds(const Buffer& buffer, int64_t count, int64_t size) {
    return count >= 0 &&
           static_cast<double>(count) * static_cast<double>(size) <= static_cast<double>(buffer.bytes());
  }

  // Far below what would overflow when a shape is rounded up to whole tiles.
  static bool areSizes(int64_t rows, int64_t columns) {
    constexpr int64_t kMost = int64_t{1} << 40;
    return product({rows, columns}) < (int64_t{1} << 60) && rows < kMost && columns < kMost;
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
    if (!isHere(*buffer, index)) return refuse(), nullptr;
    keepForReplay(*buffer);
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
  std::string description_;
  OpRecord record_;
};

// Makes an op a function of the addon. Its name travels with it, for the descriptions of plans.
template <void (*op)(const Napi::CallbackInfo&)>
void exportOp(Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<op>(exports.Env(), name, const_cast<char*>(name)));
}

}  // namespace persimmon
