#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "cuda/nccl_group.h"
#include "cuda/runtime.cuh"

namespace persimmon::cuda {

namespace {

// How often the group looks for what NCCL and the GPUs have to say.
constexpr auto kLooksEvery = std::chrono::milliseconds(100);
// A call of NCCL takes microseconds; one that takes so long waits for a rank that does not come.
constexpr auto kLongestCall = std::chrono::seconds(2);

std::string said(const NcclFunctions& nccl, int rank, const std::string& what, NcclFunctions::Status status) {
  return "NCCL: " + what + " failed on rank " + std::to_string(rank) + " (" + nccl.errorString(status) + ")";
}

// All there are, never freed: the process ends with some.
struct Groups {
  std::mutex mutex;
  std::set<NcclGroup*> all;
};

Groups& groups() {
  static Groups& those = *new Groups;
  return those;
}

}  // namespace

// When the process ends, which Node may do without a word to the addon: the libraries that the threads call
// go away under them.
void NcclGroup::endLookouts() {
  const std::lock_guard lock(groups().mutex);
  for (NcclGroup* group : groups().all) group->endLookout();
}

NcclGroup::NcclGroup(const NcclFunctions& nccl, const std::vector<std::shared_ptr<Stream>>& streams,
                     double timeoutSeconds)
    : nccl_(nccl),
      timeout_(timeoutSeconds),
      meetings_(std::make_shared<LocalGroup>(static_cast<int>(streams.size()))) {
  std::vector<int> devices;
  std::vector<void*> communicators(streams.size());
  for (const std::shared_ptr<Stream>& stream : streams) {
    devices.push_back(stream->gpu()->info().number);
    ranks_.push_back(std::make_unique<Rank>());
    ranks_.back()->stream = stream;
    ranks_.back()->queue = stream->sharedGpu();
    ranks_.back()->cudaStream = streamOf(*stream->gpu());
  }
  const MemoryCall connecting;
  const auto status = nccl_.initAll(communicators.data(), ranks(), devices.data());
  if (status != NcclFunctions::kSuccess) {
    throw Error(std::string("NCCL could not connect the GPUs: ") + nccl_.errorString(status) +
                "; NCCL_DEBUG=WARN lets it say more");
  }
  try {
    for (size_t i = 0; i < ranks_.size(); ++i) {
      ranks_[i]->communicator = communicators[i];
      check(cudaSetDevice(devices[i]), "the GPU");
      check(cudaEventCreateWithFlags(&ranks_[i]->done, cudaEventDisableTiming), "an event");
    }
    lookout_ = std::thread([this] { lookAfter(); });
  } catch (...) {
    for (void* communicator : communicators) nccl_.abort(communicator);
    for (const auto& rank : ranks_)
      if (rank->done != nullptr) cudaEventDestroy(rank->done);
    throw;
  }
  static const int atEnd = std::atexit(&NcclGroup::endLookouts);
  (void)atEnd;
  const std::lock_guard lock(groups().mutex);
  groups().all.insert(this);
}

void NcclGroup::endLookout() {
  {
    const std::lock_guard lock(mutex_);
    isEnding_ = true;
  }
  wake_.notify_all();
  if (lookout_.joinable()) lookout_.join();
}

NcclGroup::~NcclGroup() {
  {
    const std::lock_guard lock(groups().mutex);
    groups().all.erase(this);
  }
  endLookout();
  for (std::thread& thread : aborts_) thread.join();
  for (const auto& rank : ranks_) {
    if (!hasFailed_) abort(*rank);
    cudaEventDestroy(rank->done);
  }
}

void NcclGroup::call(
    int rank, const char* what,
    const std::function<NcclFunctions::Status(void* communicator, void* stream)>& collective) {
  Rank& own = *ranks_[static_cast<size_t>(rank)];
  auto status = NcclFunctions::kSuccess;
  {
    // Whoever aborts holds it until all graphs are gone, which may be for this thread to let go.
    std::unique_lock lock(own.calling, std::defer_lock);
    bool isHeld = false;
    do {
      isHeld = lock.try_lock_for(kLooksEvery);
      if (const std::string over = meetings_->over(); !over.empty()) throw Error(over);
    } while (!isHeld);
    start(rank, [&] { status = collective(own.communicator, streamOf(*own.queue)); });
  }
  if (status == NcclFunctions::kSuccess) return;
  const std::string why = said(nccl_, rank, what, status);
  fail(why);
  throw Error(why);
}

void NcclGroup::start(int rank, const std::function<void()>& work) {
  std::atomic<Clock::rep>& entered = ranks_[static_cast<size_t>(rank)]->entered;
  entered = Clock::now().time_since_epoch().count();
  try {
    work();
  } catch (...) {
    entered = 0;
    throw;
  }
  entered = 0;
}

void NcclGroup::watch(int rank) {
  Rank& own = *ranks_[static_cast<size_t>(rank)];
  const std::lock_guard lock(own.watching);
  // An event that cannot be recorded is noticed as one that does not come.
  check(cudaEventRecord(own.done, own.cudaStream), "an event");
  own.isBusy = true;
  own.since = Clock::now();
}

void NcclGroup::fail(const std::string& why) {
  const std::string text = why + ". The model must be loaded anew";
  // Threads first: those that come now find the group closed.
  meetings_->close(text);
  launches_.giveUp();
  const std::lock_guard lock(mutex_);
  if (hasFailed_ || isEnding_) return;
  hasFailed_ = true;
  // The first rank is the one that is read from.
  const auto stream = ranks_[0]->stream.lock();
  if (stream != nullptr && (!tryToAsk() || progressOf(*ranks_[0]) != cudaSuccess)) stream->fail(text);
  // One thread each: the last to abort waits for graphs of all ranks, which end with the plans.
  for (const auto& rank : ranks_) aborts_.emplace_back([this, &rank = *rank] { abort(rank); });
}

void NcclGroup::abort(Rank& rank) {
  const std::unique_lock calling(rank.calling, kLongestCall);
  nccl_.abort(rank.communicator);
}

NcclGroup::Clock::duration NcclGroup::timeInCall(const Rank& rank) {
  const Clock::rep entered = rank.entered;
  if (entered == 0) return {};
  return Clock::now() - Clock::time_point(Clock::duration(entered));
}

std::optional<Question> NcclGroup::tryToAsk() const {
  const auto isInCall = [](const auto& rank) { return rank->entered != 0; };
  if (std::any_of(ranks_.begin(), ranks_.end(), isInCall)) return {};
  return Question::tryToAsk();
}

std::string NcclGroup::whoWaitsInACall() const {
  const std::string tooLong = " longer than PERSIMMON_NCCL_TIMEOUT says";
  for (size_t i = 0; i < ranks_.size(); ++i) {
    if (timeInCall(*ranks_[i]) >= timeout_)
      return "rank " + std::to_string(i) + ": its thread has waited in a call for others" + tooLong;
  }
  if (MemoryCall::underWay() < timeout_) return "";
  return "a call for memory has waited for the GPUs" + tooLong;
}

void NcclGroup::lookAfter() {
  std::unique_lock lock(mutex_);
  while (!isEnding_ && !hasFailed_) {
    wake_.wait_for(lock, kLooksEvery);
    if (isEnding_ || hasFailed_) return;
    lock.unlock();
    if (const std::string why = whoWaitsInACall(); !why.empty()) fail(why);
    for (size_t i = 0; i < ranks_.size(); ++i) {
      const std::string trouble = troubleOf(*ranks_[i]);
      if (!trouble.empty()) fail("rank " + std::to_string(i) + ": " + trouble);
    }
    lock.lock();
  }
}

std::string NcclGroup::troubleOf(Rank& rank) {
  // A rank that is in the middle of a call is looked at the next time; one whose communicator ends, no more.
  const std::unique_lock calling(rank.calling, std::try_to_lock);
  if (!calling.owns_lock() || !meetings_->over().empty()) return "";
  auto error = NcclFunctions::kSuccess;
  const auto status = nccl_.asyncError(rank.communicator, &error);
  if (status != NcclFunctions::kSuccess) error = status;
  if (error != NcclFunctions::kSuccess && error != NcclFunctions::kInProgress)
    return std::string("NCCL: ") + nccl_.errorString(error);
  const auto question = tryToAsk();
  if (!question) return "";
  const cudaError_t found = progressOf(rank);
  if (found == cudaSuccess) return "";
  if (found != cudaErrorNotReady) return std::string("the GPU: ") + cudaGetErrorString(found);
  const std::lock_guard lock(rank.watching);
  if (Clock::now() - rank.since < timeout_) return "";
  return "its GPU has waited for others longer than PERSIMMON_NCCL_TIMEOUT says";
}

cudaError_t NcclGroup::progressOf(Rank& rank) {
  const std::lock_guard lock(rank.watching);
  if (!rank.isBusy) return cudaSuccess;
  const cudaError_t found = cudaEventQuery(rank.done);
  if (found == cudaSuccess) rank.isBusy = false;
  (void)cudaGetLastError();
  return found;
}

}  // namespace persimmon::cuda
