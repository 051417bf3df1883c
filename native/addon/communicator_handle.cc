#include "communicator_handle.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "../core/local_communicator.h"
#include "../core/mpi_communicator.h"
#include "../cuda/nccl_communicator.h"
#include "../cuda/queue.h"
#include "errors.h"
#include "stream_object.h"

namespace persimmon {

namespace {

constexpr napi_type_tag kCommunicatorTag = {0x7d1f04a5b6e9432c, 0x9f30c1de2285a7b1};

using Shared = std::shared_ptr<Communicator>;

// A process has one place among the others, however many models it loads.
struct Joined {
  std::shared_ptr<MpiCommunicator> communicator;
  std::shared_ptr<Stream> stream;
};

// Hooks run last in, first out, and groups are made after the streams: no stream waits in a meeting when it
// is stopped.
void closeGroup(void* group) {
  auto* shared = static_cast<std::shared_ptr<LocalGroup>*>(group);
  (*shared)->close();
  delete shared;
}

void leaveProcesses(void* data) {
  auto* joined = static_cast<Joined*>(data);
  joined->stream->synchronize();
  joined->communicator->leave();
  delete joined;
}

// Streams of GPUs; empty with a pending exception unless each is of another one.
std::vector<std::shared_ptr<Stream>> gpuStreams(const Napi::Value& streams) {
  std::vector<std::shared_ptr<Stream>> found;
  std::set<int> numbers;
  const Napi::Array list = streams.IsArray() ? streams.As<Napi::Array>() : Napi::Array::New(streams.Env());
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const std::shared_ptr<Stream> stream = StreamObject::shared(list.Get(i));
    if (stream == nullptr) return {};
    if (stream->gpu() == nullptr) break;
    found.push_back(stream);
    numbers.insert(stream->gpu()->info().number);
  }
  if (!found.empty() && found.size() == list.Length() && numbers.size() == found.size()) return found;
  throwCoded(streams.Env(), "NATIVE_ARGUMENT", "expected an array of streams, each of another GPU");
  return {};
}

Napi::Array handlesOf(Napi::Env env, const std::vector<std::shared_ptr<Communicator>>& communicators) {
  Napi::Array result = Napi::Array::New(env);
  for (const auto& communicator : communicators) {
    result.Set(result.Length(), communicatorHandle(env, communicator));
  }
  return result;
}

}  // namespace

Napi::Value communicatorHandle(Napi::Env env, Shared communicator) {
  auto handle = Napi::External<Shared>::New(env, new Shared(std::move(communicator)),
                                            [](Napi::Env, Shared* shared) { delete shared; });
  napi_type_tag_object(env, handle, &kCommunicatorTag);
  return handle;
}

Shared communicatorFrom(Napi::Value value) {
  bool isOurs = false;
  if (value.IsExternal()) napi_check_object_type_tag(value.Env(), value, &kCommunicatorTag, &isOurs);
  if (isOurs) return *value.As<Napi::External<Shared>>().Data();
  throwCoded(value.Env(), "NATIVE_ARGUMENT", "expected a communicator");
  return nullptr;
}

// localCommunicators(ranks): one for each rank of a group within this process
Napi::Value localCommunicators(const Napi::CallbackInfo& info) {
  const double ranks = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(ranks >= 1 && ranks <= 1024)) {
    throwCoded(info.Env(), "NATIVE_ARGUMENT", "a group has 1 to 1024 ranks");
    return info.Env().Undefined();
  }
  const auto group = std::make_shared<LocalGroup>(static_cast<int>(ranks));
  std::vector<std::shared_ptr<Communicator>> communicators;
  for (int rank = 0; rank < group->ranks(); ++rank) {
    communicators.push_back(std::make_shared<LocalCommunicator>(group, rank));
  }
  napi_add_env_cleanup_hook(info.Env(), &closeGroup, new std::shared_ptr<LocalGroup>(group));
  return handlesOf(info.Env(), communicators);
}

// ncclCommunicators(streams, timeoutSeconds): one for each of the streams, which are those of the ranks
Napi::Value ncclCommunicators(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  const std::vector<std::shared_ptr<Stream>> streams = gpuStreams(info[0]);
  if (streams.empty()) return env.Undefined();
  std::string why;
  const cuda::NcclRanks ranks = cuda::connectByNccl(streams, info[1].ToNumber().DoubleValue(), why);
  if (ranks.meetings == nullptr) {
    throwCoded(env, "NCCL_UNAVAILABLE", why);
    return env.Undefined();
  }
  napi_add_env_cleanup_hook(env, &closeGroup, new std::shared_ptr<LocalGroup>(ranks.meetings));
  return handlesOf(env, ranks.communicators);
}

// whyCommunicatorIsOver(communicator): string
Napi::Value whyCommunicatorIsOver(const Napi::CallbackInfo& info) {
  const auto communicator = communicatorFrom(info[0]);
  if (communicator == nullptr) return info.Env().Undefined();
  return Napi::String::New(info.Env(), communicator->over());
}

// mpiCommunicator(stream, timeoutSeconds): { communicator, rank, ranks }; the stream is the one that will use
// it
Napi::Value mpiCommunicator(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::shared_ptr<Stream> stream = StreamObject::shared(info[0]);
  if (stream == nullptr) return env.Undefined();
  std::string error;
  const auto communicator = MpiCommunicator::connect(info[1].ToNumber().DoubleValue(), error);
  if (communicator == nullptr) {
    throwCoded(env, "MPI_UNAVAILABLE", error);
    return env.Undefined();
  }
  napi_add_env_cleanup_hook(env, &leaveProcesses, new Joined{communicator, std::move(stream)});
  Napi::Object result = Napi::Object::New(env);
  result.Set("communicator", communicatorHandle(env, communicator));
  result.Set("rank", communicator->rank());
  result.Set("ranks", communicator->ranks());
  return result;
}

}  // namespace persimmon
