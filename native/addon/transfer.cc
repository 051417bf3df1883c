// Copies between devices, in the order of both streams.
#include <cstring>
#include <future>
#include <vector>

#include "../cuda/queue.h"
#include "buffer.h"
#include "errors.h"
#include "ops.h"
#include "stream_object.h"

namespace persimmon {

namespace {

// What the stream that has the bytes gives to the one that gets them. From a GPU they come by way of the
// host.
struct Handover {
  std::shared_ptr<Storage> storage;
  const uint8_t* source;
  std::vector<uint8_t> copy;
};

// transfer(to: Stream, out, from: Stream, x): all bytes of x, of which out has as many
void transfer(const Napi::CallbackInfo& info) {
  Stream* to = StreamObject::from(info[0]);
  Stream* from = to == nullptr ? nullptr : StreamObject::from(info[2]);
  Buffer* out = from == nullptr ? nullptr : Buffer::from(info[1]);
  Buffer* x = out == nullptr ? nullptr : Buffer::from(info[3]);
  if (x == nullptr) return;
  if (!out->isOn(*to) || !x->isOn(*from) || out->bytes() != x->bytes()) {
    throwCoded(info.Env(), "NATIVE_BOUNDS",
               "a transfer takes buffers of the two streams, as long as each other");
    return;
  }
  if (to->isRecording() || from->isRecording()) {
    throwCoded(info.Env(), "PLAN_RECORDING", "nothing can be copied to another device inside a forward pass");
    return;
  }
  auto handover = std::make_shared<Handover>();
  handover->storage = x->storage();
  handover->source = x->data();
  const size_t bytes = x->bytes();
  // The promise belongs to the command: where that fails or never runs, it is broken, which the other stream
  // is told.
  auto promise = std::make_shared<std::promise<void>>();
  auto isThere = std::make_shared<std::future<void>>(promise->get_future());
  from->enqueue([handover, promise = std::move(promise), bytes, gpu = from->gpu()](ThreadPool&) {
    if (gpu != nullptr) {
      handover->copy.resize(bytes);
      gpu->copyOut(handover->copy.data(), handover->source, bytes);
      handover->source = handover->copy.data();
    }
    promise->set_value();
  });
  to->enqueue([target = out->data(), held = out->storage(), handover = std::move(handover), isThere, bytes,
               gpu = to->gpu()](ThreadPool&) {
    isThere->get();
    if (gpu != nullptr) {
      gpu->copyIn(target, handover->source, bytes);
    } else {
      std::memcpy(target, handover->source, bytes);
    }
  });
}

}  // namespace

void exportTransfer(Napi::Object exports) {
  exports.Set("transfer", Napi::Function::New<transfer>(exports.Env(), "transfer"));
}

}  // namespace persimmon
