// An NCCL for the emulated runtime: a library that is found and loaded as NVIDIA's is, whose collectives
// really add and copy when the emulated GPUs have come so far. It is strict where NCCL would hang or compute
// nonsense: ranks whose calls differ, or of which only some are captured, a stream of another GPU, a
// communicator that was ended.
//
// Environment variables, read at each call, let a test see and break it:
//   PERSIMMON_FAKE_NCCL_LOG      a file that gets a line for each call: rank, what, count, captured or not
//   PERSIMMON_FAKE_NCCL_REFUSE   the rank whose calls fail; "all": connecting fails
//   PERSIMMON_FAKE_NCCL_STALL    the rank whose GPU gets stuck in a collective; with "silent" behind it,
//   without an error PERSIMMON_FAKE_NCCL_VERSION  what it says it is
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../stream.h"

using cuda_emulator::Stream;

namespace {

constexpr int kSuccess = 0, kUnhandledCudaError = 1, kInvalidArgument = 4, kInvalidUsage = 5,
              kRemoteError = 6;

std::string setting(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? "" : text;
}

struct Call {
  std::string what;
  size_t count;
  int root;
  bool isCaptured;
  bool operator==(const Call&) const = default;
};

// One collective while the GPUs run it: what each has brought.
struct Exchange {
  std::vector<std::vector<uint8_t>> parts;
  int arrived = 0, left = 0;
};

struct Clique {
  explicit Clique(int count) : ranks(count) {}
  const int ranks;
  std::mutex mutex;
  std::vector<Call> calls;
  std::map<size_t, Exchange> exchanges;
  int ended = 0;
  std::atomic<int> graphs{0};            // that hold a collective
  std::atomic<Stream*> stream{nullptr};  // of one of the ranks
};

struct Communicator {
  std::shared_ptr<Clique> clique;
  int rank = 0, device = 0;
  size_t called = 0, done = 0;
  bool isWaiting = false, isEnded = false;
  int error = kSuccess;
  Stream* stream = nullptr;
};

std::mutex registry;
// Never freed: a process ends while others still call.
std::map<void*, std::shared_ptr<Communicator>>& communicators =
    *new std::map<void*, std::shared_ptr<Communicator>>;

std::shared_ptr<Communicator> known(void* handle) {
  const std::lock_guard lock(registry);
  const auto found = communicators.find(handle);
  if (found != communicators.end()) return found->second;
  std::fprintf(stderr, "emulated NCCL: a communicator is used that was freed\n");
  std::abort();
}

// Whether the kernel of a collective can go on: all ranks are there, or it was told to quit.
bool isReady(Communicator& own, const void* x, size_t bytes) {
  const std::lock_guard lock(own.clique->mutex);
  if (own.isEnded) return true;
  Exchange& exchange = own.clique->exchanges[own.done];
  if (!own.isWaiting) {
    const std::string stall = setting("PERSIMMON_FAKE_NCCL_STALL");
    if (stall == std::to_string(own.rank)) own.error = kRemoteError;
    if (!stall.empty() && std::atoi(stall.c_str()) == own.rank) return false;
    own.isWaiting = true;
    exchange.parts.resize(static_cast<size_t>(own.clique->ranks));
    const auto* begin = static_cast<const uint8_t*>(x);
    exchange.parts[static_cast<size_t>(own.rank)].assign(begin, begin + bytes);
    ++exchange.arrived;
  }
  return exchange.arrived == own.clique->ranks;
}

template <class Combine>
void finish(Communicator& own, const Combine& combine) {
  const std::lock_guard lock(own.clique->mutex);
  if (own.isEnded) return;
  Exchange& exchange = own.clique->exchanges[own.done];
  combine(exchange.parts);
  if (++exchange.left == own.clique->ranks) own.clique->exchanges.erase(own.done);
  ++own.done;
  own.isWaiting = false;
}

int check(Communicator& own, const Call& call, Stream& stream) {
  const std::lock_guard lock(own.clique->mutex);
  if (const std::string log = setting("PERSIMMON_FAKE_NCCL_LOG"); !log.empty()) {
    FILE* file = std::fopen(log.c_str(), "a");
    std::fprintf(file, "%d %s %zu %s\n", own.rank, call.what.c_str(), call.count,
                 call.isCaptured ? "captured" : "at once");
    std::fclose(file);
  }
  if (own.isEnded) return kInvalidUsage;
  if (setting("PERSIMMON_FAKE_NCCL_REFUSE") == std::to_string(own.rank)) return kUnhandledCudaError;
  if (stream.device() != own.device) return kInvalidArgument;
  own.stream = &stream;
  own.clique->stream = &stream;
  std::vector<Call>& calls = own.clique->calls;
  if (own.called == calls.size()) calls.push_back(call);
  return calls[own.called++] == call ? kSuccess : kInvalidUsage;
}

// Puts a collective on the stream, or into the graph that is being captured.
template <class Combine>
int enqueue(void* handle, void* onStream, const Call& about, const void* x, size_t bytes, Combine combine) {
  const std::shared_ptr<Communicator> own = known(handle);
  Stream& stream = *static_cast<Stream*>(onStream);
  Call call = about;
  call.isCaptured = stream.isCapturing();
  if (const int status = check(*own, call, stream); status != kSuccess) return status;
  std::shared_ptr<void> inGraph;
  if (call.isCaptured) {
    ++own->clique->graphs;
    inGraph = {nullptr, [clique = own->clique](void*) { --clique->graphs; }};
  }
  stream.put({reinterpret_cast<const void*>(&isReady), [own, combine, inGraph] { finish(*own, combine); },
              [own, x, bytes] { return isReady(*own, x, bytes); }});
  return kSuccess;
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED int ncclGetVersion(int* version) {
  const std::string text = setting("PERSIMMON_FAKE_NCCL_VERSION");
  *version = text.empty() ? 22703 : std::atoi(text.c_str());
  return kSuccess;
}

EXPORTED const char* ncclGetErrorString(int status) {
  return status == kUnhandledCudaError ? "unhandled cuda error"
         : status == kInvalidArgument  ? "invalid argument"
         : status == kRemoteError      ? "remote process exited or there was a network error"
                                       : "invalid usage";
}

EXPORTED int ncclCommInitAll(void** handles, int count, const int* devices) {
  if (setting("PERSIMMON_FAKE_NCCL_REFUSE") == "all") return kUnhandledCudaError;
  const auto clique = std::make_shared<Clique>(count);
  const std::lock_guard lock(registry);
  for (int rank = 0; rank < count; ++rank) {
    const auto made = std::make_shared<Communicator>();
    made->clique = clique;
    made->rank = rank;
    made->device = devices[rank];
    handles[rank] = made.get();
    communicators[made.get()] = made;
  }
  return kSuccess;
}

// As NCCL's: the last one of a process waits for all graphs that hold a collective.
EXPORTED int ncclCommAbort(void* handle) {
  const std::shared_ptr<Communicator> own = known(handle);
  bool isLast = false;
  {
    const std::lock_guard lock(own->clique->mutex);
    own->isEnded = true;
    isLast = ++own->clique->ended == own->clique->ranks;
  }
  if (own->stream != nullptr) own->stream->tellChange();
  while (isLast && own->clique->graphs > 0) {
    // Also those that were destroyed while they ran.
    own->clique->stream.load()->advance();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const std::lock_guard lock(registry);
  communicators.erase(handle);
  return kSuccess;
}

EXPORTED int ncclCommGetAsyncError(void* handle, int* error) {
  const std::shared_ptr<Communicator> own = known(handle);
  const std::lock_guard lock(own->clique->mutex);
  *error = own->error;
  return kSuccess;
}

// Added from the last rank to the first: another order than that of ranks on CPUs.
EXPORTED int ncclAllReduce(const void* x, void* out, size_t count, int type, int operation, void* handle,
                           void* stream) {
  if (type != 7 || operation != 0) return kInvalidArgument;
  return enqueue(handle, stream, {"all-reduce", count, 0, false}, x, count * 4, [out, count](auto& parts) {
    std::vector<float> sum(count), part(count);
    for (size_t rank = parts.size(); rank-- > 0;) {
      std::memcpy(part.data(), parts[rank].data(), count * 4);
      for (size_t i = 0; i < count; ++i) sum[i] = part[i] + sum[i];
    }
    std::memcpy(out, sum.data(), count * 4);
  });
}

EXPORTED int ncclAllGather(const void* x, void* out, size_t count, int type, void* handle, void* stream) {
  if (type != 7) return kInvalidArgument;
  return enqueue(handle, stream, {"all-gather", count, 0, false}, x, count * 4, [out, count](auto& parts) {
    for (size_t rank = 0; rank < parts.size(); ++rank)
      std::memcpy(static_cast<uint8_t*>(out) + rank * count * 4, parts[rank].data(), count * 4);
  });
}

EXPORTED int ncclBroadcast(const void* x, void* out, size_t count, int type, int root, void* handle,
                           void* stream) {
  if (type != 0) return kInvalidArgument;
  return enqueue(handle, stream, {"broadcast", count, root, false}, x, count,
                 [=](auto& parts) { std::memcpy(out, parts[static_cast<size_t>(root)].data(), count); });
}
