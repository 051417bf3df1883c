// The JavaScript object `Buffer`: a range of a storage with an element type.
#pragma once

#include <napi.h>

#include <memory>

#include "../core/storage.h"
#include "../cpu/ops.h"

namespace persimmon {

class Buffer : public Napi::ObjectWrap<Buffer> {
 public:
  static Napi::Function define(Napi::Env env);
  static Napi::Object create(Napi::Env env, std::shared_ptr<Storage> storage, size_t offset, size_t bytes,
                             cpu::DType dtype);
  // The buffer behind a JavaScript value, or nullptr with a pending exception when the value is something
  // else or was released.
  static Buffer* from(Napi::Value value);

  explicit Buffer(const Napi::CallbackInfo& info);

  uint8_t* data() const { return storage_->data() + offset_; }
  size_t bytes() const { return bytes_; }
  cpu::DType dtype() const { return dtype_; }
  bool isOn(const Stream& stream) const { return storage_->isOn(stream); }
  const std::shared_ptr<Storage>& storage() const { return storage_; }

 private:
  Napi::Value view(const Napi::CallbackInfo& info);
  void release(const Napi::CallbackInfo& info);
  Napi::Value fetch(const Napi::CallbackInfo& info);
  void unload(const Napi::CallbackInfo& info);
  Napi::Value byteLength(const Napi::CallbackInfo& info);

  std::shared_ptr<Storage> storage_;
  size_t offset_ = 0;
  size_t bytes_ = 0;
  cpu::DType dtype_ = cpu::DType::kFloat32;
};

}  // namespace persimmon
