#include "buffer.h"

#include <utility>

#include "errors.h"
#include "instance.h"

namespace persimmon {

namespace {

// Fetches a part of a mapped file on a thread of Node's pool.
class Fetch : public Napi::AsyncWorker {
 public:
  Fetch(Napi::Env env, std::shared_ptr<Storage> storage, size_t offset, size_t bytes)
      : Napi::AsyncWorker(env),
        deferred_(Napi::Promise::Deferred::New(env)),
        storage_(std::move(storage)),
        offset_(offset),
        bytes_(bytes) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { MappedMemory::fetch(storage_->data() + offset_, bytes_); }
  void OnOK() override { deferred_.Resolve(Env().Undefined()); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  std::shared_ptr<Storage> storage_;
  size_t offset_, bytes_;
};

constexpr napi_type_tag kBufferTag = {0x7a3b91f04c2d4e68, 0x9d51c0e82f6a4b17};

}  // namespace

Napi::Function Buffer::define(Napi::Env env) {
  return DefineClass(env, "Buffer",
                     {InstanceMethod<&Buffer::view>("view"), InstanceMethod<&Buffer::release>("release"),
                      InstanceMethod<&Buffer::fetch>("fetch"), InstanceMethod<&Buffer::unload>("unload"),
                      InstanceAccessor<&Buffer::byteLength>("byteLength")});
}

Buffer::Buffer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Buffer>(info) {
  info.This().As<Napi::Object>().TypeTag(&kBufferTag);
}

Napi::Object Buffer::create(Napi::Env env, std::shared_ptr<Storage> storage, size_t offset, size_t bytes,
                            cpu::DType dtype) {
  Napi::Object object = env.GetInstanceData<Instance>()->bufferConstructor.New({});
  Buffer* buffer = Unwrap(object);
  buffer->storage_ = std::move(storage);
  buffer->offset_ = offset;
  buffer->bytes_ = bytes;
  buffer->dtype_ = dtype;
  return object;
}

Buffer* Buffer::from(Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kBufferTag)) {
    throwCoded(value.Env(), "NATIVE_ARGUMENT", "expected a native buffer");
    return nullptr;
  }
  Buffer* buffer = Unwrap(value.As<Napi::Object>());
  if (buffer->storage_ == nullptr) {
    throwCoded(value.Env(), "TENSOR_RELEASED",
               "this tensor was released: keep it with keep(), or read it before its scope ends");
    return nullptr;
  }
  return buffer;
}

// view(byteOffset, byteLength, dtype)
Napi::Value Buffer::view(const Napi::CallbackInfo& info) {
  const double offset = info[0].ToNumber().DoubleValue();
  const double bytes = info[1].ToNumber().DoubleValue();
  if (storage_ == nullptr) {
    throwCoded(info.Env(), "TENSOR_RELEASED", "this tensor was released");
    return info.Env().Undefined();
  }
  if (!(offset >= 0) || !(bytes >= 0) || offset + bytes > static_cast<double>(bytes_)) {
    throwCoded(info.Env(), "NATIVE_BOUNDS", "a view must lie inside its buffer");
    return info.Env().Undefined();
  }
  return create(info.Env(), storage_, offset_ + static_cast<size_t>(offset), static_cast<size_t>(bytes),
                static_cast<cpu::DType>(info[2].ToNumber().Uint32Value()));
}

void Buffer::release(const Napi::CallbackInfo&) { storage_.reset(); }

Napi::Value Buffer::byteLength(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(storage_ == nullptr ? 0 : bytes_));
}

// fetch(): Promise<void>, once the bytes of a mapped file are in memory
Napi::Value Buffer::fetch(const Napi::CallbackInfo& info) {
  if (storage_ == nullptr) {
    throwCoded(info.Env(), "TENSOR_RELEASED", "this tensor was released");
    return info.Env().Undefined();
  }
  auto* work = new Fetch(info.Env(), storage_, offset_, bytes_);
  const Napi::Promise promise = work->promise();
  work->Queue();
  return promise;
}

// unload(): the pages of a mapped file leave the memory of this process until they are used again
void Buffer::unload(const Napi::CallbackInfo&) {
  if (storage_ != nullptr) storage_->unload(offset_, bytes_);
}

}  // namespace persimmon
