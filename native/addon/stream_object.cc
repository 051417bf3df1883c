#include "stream_object.h"

#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "../core/reading.h"
#include "../cuda/queue.h"
#include "buffer.h"
#include "errors.h"

namespace persimmon {

namespace {

constexpr napi_type_tag kStreamTag = {0x1f0c77ab5d934e02, 0xb6a84427e0d15c39};
constexpr napi_type_tag kReadingTag = {0x52be0c6a19f74d83, 0x8e17d3a0c4b6952f};

cpu::DType dtypeOf(const Napi::Value& value) {
  return static_cast<cpu::DType>(value.ToNumber().Uint32Value());
}

std::string megabytes(double bytes) { return std::to_string(static_cast<long long>(bytes / 1e6)) + " MB"; }

// Whose memory a stream has.
std::string owner(const Stream& stream) { return stream.gpu() == nullptr ? "the system" : "the GPU"; }

// A number of bytes; -1 with a pending exception for anything else.
double sizeOf(const Napi::Value& value) {
  const double bytes = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (bytes >= 0 && bytes < 1e18) return bytes;
  throwCoded(value.Env(), "OUT_OF_MEMORY", "memory needs a size from 0 to 1e18 bytes");
  return -1;
}

// Checks that [offset, offset + bytes) lies inside the buffer.
bool inside(const Buffer& buffer, double offset, double bytes) {
  return offset >= 0 && bytes >= 0 && offset + bytes <= static_cast<double>(buffer.bytes());
}

// Where a GPU has failed for good, that is why it gives no memory.
void throwNoMemory(Napi::Env env, const Stream& stream, const std::string& message) {
  const std::string over = stream.gpu() == nullptr ? "" : stream.gpu()->whyOver();
  if (over.empty()) {
    throwCoded(env, "OUT_OF_MEMORY", message);
  } else {
    throwCoded(env, "OP_FAILED", over);
  }
}

// Bytes of a buffer that are read.
struct Range {
  const uint8_t* source;
  size_t bytes;
};

// (buffer, byteOffset, byteLength); nothing, with a pending exception, for a range outside of its buffer.
std::optional<Range> rangeOf(const Napi::CallbackInfo& info) {
  const Buffer* buffer = Buffer::from(info[0]);
  if (buffer == nullptr) return std::nullopt;
  const double offset = info[1].ToNumber().DoubleValue();
  const double bytes = info[2].ToNumber().DoubleValue();
  if (!inside(*buffer, offset, bytes)) {
    throwCoded(info.Env(), "NATIVE_BOUNDS", "a read must lie inside its buffer");
    return std::nullopt;
  }
  return Range{buffer->data() + static_cast<size_t>(offset), static_cast<size_t>(bytes)};
}

void readInto(Stream& stream, void* target, const uint8_t* source, size_t bytes) {
  if (cuda::Queue* gpu = stream.gpu()) {
    gpu->copyOut(target, source, bytes);
  } else {
    std::memcpy(target, source, bytes);
  }
}

}  // namespace

// One asynchronous read: the bytes are copied by the stream's thread into an ArrayBuffer that is kept alive
// here.
struct StreamObject::PendingRead {
  Napi::Promise::Deferred deferred;
  Napi::Reference<Napi::ArrayBuffer> result;
  Napi::ObjectReference stream;
  StreamObject* owner;
  std::string error;
};

// A promise, and what settles it: to be called once, on any thread. Empty, with a pending exception, where
// there is no memory for its bytes.
struct StreamObject::Promised {
  Napi::Value value;
  std::function<void()> settle;
};

Napi::Function StreamObject::define(Napi::Env env) {
  return DefineClass(
      env, "Stream",
      {InstanceMethod<&StreamObject::allocate>("allocate"), InstanceMethod<&StreamObject::reserve>("reserve"),
       InstanceMethod<&StreamObject::mapFile>("mapFile"), InstanceMethod<&StreamObject::write>("write"),
       InstanceMethod<&StreamObject::read>("read"), InstanceMethod<&StreamObject::readSync>("readSync"),
       InstanceMethod<&StreamObject::startRead>("startRead"),
       InstanceMethod<&StreamObject::finishRead>("finishRead"),
       InstanceMethod<&StreamObject::synchronize>("synchronize"),
       InstanceMethod<&StreamObject::startGroup>("startGroup"),
       InstanceMethod<&StreamObject::endGroup>("endGroup"), InstanceMethod<&StreamObject::cancel>("cancel"),
       InstanceMethod<&StreamObject::statistics>("statistics"), InstanceMethod<&StreamObject::gpu>("gpu"),
       InstanceMethod<&StreamObject::graphs>("graphs"),
       InstanceMethod<&StreamObject::setJoinsOps>("setJoinsOps")});
}

// new Stream(threads, null, matmulPrecision), or new Stream(1, gpu, …) for a stream of the GPU of that number
StreamObject::StreamObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<StreamObject>(info) {
  const int threads = info[0].ToNumber().Int32Value();
  if (threads < 1 || threads > 1024) {
    throwCoded(info.Env(), "NATIVE_ARGUMENT", "a stream needs 1 to 1024 threads");
    return;
  }
  std::shared_ptr<cuda::Queue> queue;
  if (info[1].IsNumber()) {
    std::string why;
    queue = cuda::Queue::create(info[1].As<Napi::Number>().Int32Value(), why);
    if (queue == nullptr) {
      throwCoded(info.Env(), "DEVICE_UNAVAILABLE", why);
      return;
    }
  }
  const auto precision = static_cast<MatmulPrecision>(info[2].ToNumber().Int32Value());
  info.This().As<Napi::Object>().TypeTag(&kStreamTag);
  stream_ = std::make_shared<Stream>(threads, std::move(queue), precision);
  settle_ = Napi::ThreadSafeFunction::New(info.Env(), Napi::Function(), "persimmon stream", 0, 1);
  settle_.Unref(info.Env());
  // Hooks run last in, first out: the stream stops before the thread-safe function that it calls is closed.
  napi_add_env_cleanup_hook(info.Env(), &StreamObject::stop, this);
}

void StreamObject::Finalize(Napi::BasicEnv env) {
  // At the end of the environment the hook has run, and Node has closed the thread-safe function by itself.
  if (stream_ == nullptr || environmentEnded_) return;
  napi_remove_env_cleanup_hook(env, &StreamObject::stop, this);
  stream_->stop();
  settle_.Release();
}

void StreamObject::stop(void* object) {
  auto* self = static_cast<StreamObject*>(object);
  self->environmentEnded_ = true;
  self->stream_->stop();
}

Stream* StreamObject::from(Napi::Value value) { return shared(value).get(); }

std::shared_ptr<Stream> StreamObject::shared(Napi::Value value) {
  if (!value.IsObject() || !value.As<Napi::Object>().CheckTypeTag(&kStreamTag)) {
    throwCoded(value.Env(), "NATIVE_ARGUMENT", "expected a native stream");
    return nullptr;
  }
  return Unwrap(value.As<Napi::Object>())->stream_;
}

// allocate(bytes, dtype): uninitialised memory from the arena
Napi::Value StreamObject::allocate(const Napi::CallbackInfo& info) {
  const double bytes = sizeOf(info[0]);
  if (bytes < 0) return info.Env().Undefined();
  const std::shared_ptr<Arena>& arena = stream_->memory();
  MappedMemory memory = arena->take(static_cast<size_t>(bytes));
  if (!memory) {
    throwNoMemory(info.Env(), *stream_,
                  owner(*stream_) + " has no " + megabytes(bytes) + " left for a tensor");
    return info.Env().Undefined();
  }
  auto storage = std::make_shared<Storage>(stream_, std::move(memory), arena);
  return Buffer::create(info.Env(), std::move(storage), 0, static_cast<size_t>(bytes), dtypeOf(info[1]));
}

// reserve(bytes, dtype): zeroed address space that takes memory only where it is written; on a GPU, all of it
Napi::Value StreamObject::reserve(const Napi::CallbackInfo& info) {
  const double bytes = sizeOf(info[0]);
  if (bytes < 0) return info.Env().Undefined();
  MappedMemory memory = stream_->reserve(static_cast<size_t>(bytes));
  if (!memory) {
    throwNoMemory(info.Env(), *stream_, owner(*stream_) + " cannot reserve " + megabytes(bytes));
    return info.Env().Undefined();
  }
  auto storage = std::make_shared<Storage>(stream_, std::move(memory));
  return Buffer::create(info.Env(), std::move(storage), 0, static_cast<size_t>(bytes), dtypeOf(info[1]));
}

// mapFile(path): the whole file as a buffer of bytes, which changes without the file when it is written to
Napi::Value StreamObject::mapFile(const Napi::CallbackInfo& info) {
  if (stream_->gpu() != nullptr) {
    throwCoded(info.Env(), "NATIVE_ARGUMENT",
               "a GPU cannot map files: map them on a CPU stream, and transfer");
    return info.Env().Undefined();
  }
  const std::string path = info[0].ToString();
  std::string error;
  MappedMemory memory = MappedMemory::file(path, error);
  if (!memory) {
    throwCoded(info.Env(), "FILE_UNREADABLE", "cannot map " + path + ": " + error);
    return info.Env().Undefined();
  }
  const size_t bytes = memory.bytes();
  auto storage = std::make_shared<Storage>(stream_, std::move(memory));
  return Buffer::create(info.Env(), std::move(storage), 0, bytes, cpu::DType::kFloat32);
}

// write(buffer, byteOffset, source: Uint8Array): the source is copied before the call returns
void StreamObject::write(const Napi::CallbackInfo& info) {
  Buffer* buffer = Buffer::from(info[0]);
  if (buffer == nullptr) return;
  const double offset = info[1].ToNumber().DoubleValue();
  if (!info[2].IsTypedArray() || info[2].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    throwCoded(info.Env(), "NATIVE_ARGUMENT", "a write takes a Uint8Array");
    return;
  }
  const auto source = info[2].As<Napi::Uint8Array>();
  if (!inside(*buffer, offset, static_cast<double>(source.ByteLength()))) {
    throwCoded(info.Env(), "NATIVE_BOUNDS", "a write must lie inside its buffer");
    return;
  }
  uint8_t* target = buffer->data() + static_cast<size_t>(offset);
  // Recorded like an op: a module that makes a constant in its forward pass finds it there in each replay.
  const size_t size = source.ByteLength();
  const std::string description = "write " + std::to_string(size);
  cuda::Queue* gpu = stream_->gpu();
  if (gpu != nullptr && stream_->isRecording()) {
    std::shared_ptr<uint8_t> bytes;
    try {
      bytes = gpu->pinned(source.Data(), size);
    } catch (const cuda::Error& error) {
      throwNoMemory(info.Env(), *stream_, error.what());
      return;
    }
    stream_->launch([gpu, target, bytes, size](ThreadPool&) { gpu->copyPinned(target, bytes.get(), size); },
                    description);
    return;
  }
  stream_->launch(
      [gpu, target, bytes = std::string(reinterpret_cast<const char*>(source.Data()), size)](ThreadPool&) {
        if (gpu == nullptr) {
          std::memcpy(target, bytes.data(), bytes.size());
        } else {
          gpu->copyIn(target, bytes.data(), bytes.size());
        }
      },
      description);
}

// read(buffer, byteOffset, byteLength): Promise<ArrayBuffer>
Napi::Value StreamObject::read(const Napi::CallbackInfo& info) {
  const std::optional<Range> range = rangeOf(info);
  if (!range) return info.Env().Undefined();
  const Promised read =
      promise(info, range->bytes, [stream = stream_.get(), range = *range](uint8_t* target) {
        readInto(*stream, target, range.source, range.bytes);
        return stream->takeError();
      });
  if (read.settle) stream_->enqueue([settle = read.settle](ThreadPool&) { settle(); });
  return read.value;
}

// startRead(buffer, byteOffset, byteLength): what finishRead takes
Napi::Value StreamObject::startRead(const Napi::CallbackInfo& info) {
  const std::optional<Range> range = rangeOf(info);
  if (!range) return info.Env().Undefined();
  auto reading = std::make_shared<Reading>(range->bytes);
  stream_->enqueue([stream = stream_.get(), reading, source = range->source](ThreadPool& pool) {
    reading->take(*stream, source, pool);
  });
  auto handle = Napi::External<std::shared_ptr<Reading>>::New(
      info.Env(), new std::shared_ptr<Reading>(std::move(reading)),
      [](Napi::BasicEnv, std::shared_ptr<Reading>* held) { delete held; });
  handle.TypeTag(&kReadingTag);
  return handle;
}

// finishRead(reading): Promise<ArrayBuffer>
Napi::Value StreamObject::finishRead(const Napi::CallbackInfo& info) {
  if (!info[0].IsExternal() || !info[0].As<Napi::External<void>>().CheckTypeTag(&kReadingTag)) {
    throwCoded(info.Env(), "NATIVE_ARGUMENT", "expected what startRead has returned");
    return info.Env().Undefined();
  }
  const std::shared_ptr<Reading> reading = *info[0].As<Napi::External<std::shared_ptr<Reading>>>().Data();
  const Promised read =
      promise(info, reading->size(), [reading](uint8_t* target) { return reading->deliver(target); });
  if (!read.settle) return read.value;
  if (stream_->gpu() == nullptr) {
    // Not behind what the stream has to do by now, which may be the whole next pass.
    reading->whenTaken(read.settle);
  } else {
    // Waiting for a GPU is for the stream's thread, which has launched the next pass by then.
    stream_->enqueue([settle = read.settle](ThreadPool&) { settle(); });
  }
  return read.value;
}

// A promise of `size` bytes, which `fill` writes; it returns what went wrong.
StreamObject::Promised StreamObject::promise(const Napi::CallbackInfo& info, size_t size,
                                             std::function<std::string(uint8_t*)> fill) {
  Napi::Env env = info.Env();
  Napi::ArrayBuffer result = Napi::ArrayBuffer::New(env, size);
  if (env.IsExceptionPending()) return {env.Undefined(), {}};
  auto* pending = new PendingRead{Napi::Promise::Deferred::New(env),
                                  Napi::Persistent(result),
                                  Napi::Persistent(info.This().As<Napi::Object>()),
                                  this,
                                  {}};
  if (pendingReads_++ == 0) settle_.Ref(env);
  auto settleIt = [fill = std::move(fill), target = static_cast<uint8_t*>(result.Data()), pending,
                   settle = settle_] {
    // Whatever happens, the promise is settled.
    try {
      pending->error = fill(target);
    } catch (const std::exception& failure) {
      pending->error = failure.what();
    }
    settle.NonBlockingCall(pending, [](Napi::Env callEnv, Napi::Function, PendingRead* done) {
      if (callEnv != nullptr) {
        if (--done->owner->pendingReads_ == 0) done->owner->settle_.Unref(callEnv);
        if (done->error.empty()) {
          done->deferred.Resolve(done->result.Value());
        } else {
          done->deferred.Reject(codedError(callEnv, "OP_FAILED", "an op failed: " + done->error).Value());
        }
      }
      delete done;
    });
  };
  return {pending->deferred.Promise(), std::move(settleIt)};
}

// readSync(buffer, byteOffset, byteLength): ArrayBuffer; blocks JavaScript until the stream has come so far
Napi::Value StreamObject::readSync(const Napi::CallbackInfo& info) {
  const std::optional<Range> range = rangeOf(info);
  if (!range) return info.Env().Undefined();
  Napi::ArrayBuffer result = Napi::ArrayBuffer::New(info.Env(), range->bytes);
  if (info.Env().IsExceptionPending()) return info.Env().Undefined();
  stream_->enqueue([stream = stream_.get(), target = result.Data(), range = *range](ThreadPool&) {
    readInto(*stream, target, range.source, range.bytes);
  });
  stream_->synchronize();
  if (const std::string error = stream_->takeError(); !error.empty()) {
    throwCoded(info.Env(), "OP_FAILED", "an op failed: " + error);
    return info.Env().Undefined();
  }
  return result;
}

// Waits until all that was enqueued has run, on a GPU too: its thread only puts kernels there.
void StreamObject::synchronize(const Napi::CallbackInfo&) {
  if (cuda::Queue* gpu = stream_->gpu()) stream_->enqueue([gpu](ThreadPool&) { gpu->synchronize(); });
  stream_->synchronize();
}

// startGroup(): number; ops until endGroup() can be cancelled by it
Napi::Value StreamObject::startGroup(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(stream_->startGroup()));
}

void StreamObject::endGroup(const Napi::CallbackInfo&) { stream_->endGroup(); }

void StreamObject::cancel(const Napi::CallbackInfo& info) {
  const double group = info[0].ToNumber().DoubleValue();
  if (group >= 0 && group < 9e15) stream_->cancel(static_cast<int64_t>(group));
}

Napi::Value StreamObject::statistics(const Napi::CallbackInfo& info) {
  const ArenaStatistics statistics = stream_->arena().statistics();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("bytesInUse", static_cast<double>(statistics.bytesInUse));
  result.Set("bytesCached", static_cast<double>(statistics.bytesCached));
  result.Set("bytesPeak", static_cast<double>(statistics.bytesPeak));
  return result;
}

// gpu(): what the stream's GPU is, or null
Napi::Value StreamObject::gpu(const Napi::CallbackInfo& info) {
  const cuda::Queue* queue = stream_->gpu();
  if (queue == nullptr) return info.Env().Null();
  const cuda::DeviceInfo& device = queue->info();
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("name", device.name);
  result.Set("major", device.major);
  result.Set("minor", device.minor);
  result.Set("multiprocessors", device.multiprocessors);
  result.Set("totalBytes", static_cast<double>(device.totalBytes));
  result.Set("freeBytes", static_cast<double>(queue->freeBytes()));
  result.Set("cublasLt", device.cublasLt.empty() ? info.Env().Undefined()
                                                 : Napi::String::New(info.Env(), device.cublasLt));
  return result;
}

// graphs(): what the GPU has captured, launched and copied; waits until it is counted
Napi::Value StreamObject::graphs(const Napi::CallbackInfo& info) {
  cuda::QueueCounts counts;
  if (cuda::Queue* queue = stream_->gpu()) {
    stream_->enqueue([queue, &counts](ThreadPool&) { counts = queue->counts(); });
    stream_->synchronize();
  }
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("captured", static_cast<double>(counts.captured));
  result.Set("updated", static_cast<double>(counts.updated));
  result.Set("launched", static_cast<double>(counts.launched));
  result.Set("nodes", static_cast<double>(counts.nodes));
  result.Set("alone", static_cast<double>(counts.alone));
  result.Set("copiesIn", static_cast<double>(counts.copiesIn));
  result.Set("copiesOut", static_cast<double>(counts.copiesOut));
  return result;
}

// setJoinsOps(joins): for plans of a GPU that are recorded from now on
void StreamObject::setJoinsOps(const Napi::CallbackInfo& info) { stream_->setJoinsOps(info[0].ToBoolean()); }

}  // namespace persimmon
