#include "mpi_communicator.h"

#include <chrono>
#include <cstring>
#include <limits>
#include <thread>

namespace persimmon {

namespace {

using Clock = std::chrono::steady_clock;

// MPI_THREAD_SERIALIZED: the stream's thread calls it, and at the beginning and the end JavaScript's.
constexpr int kThreadSerialized = 2;

constexpr double kForEver = std::numeric_limits<double>::infinity();

// How often a rank looks whether the others are there before it lets the processor do something else for a
// while: a message within a machine takes a microsecond or two, a product of a large model many thousands.
constexpr int kLooks = 2000;
constexpr auto kPause = std::chrono::microseconds(20);

}  // namespace

std::shared_ptr<MpiCommunicator> MpiCommunicator::connect(double timeoutSeconds, std::string& error) {
  const MpiLibrary* mpi = MpiLibrary::load(error);
  if (mpi == nullptr) return nullptr;
  int isInitialized = 0, provided = kThreadSerialized;
  mpi->initialized(&isInitialized);
  if (isInitialized == 0 && mpi->initThread(nullptr, nullptr, kThreadSerialized, &provided) != 0) {
    error = "MPI_Init_thread failed";
    return nullptr;
  }
  if (provided < kThreadSerialized) {
    error = "this MPI library was built without support of threads (MPI_THREAD_SERIALIZED)";
    return nullptr;
  }
  int rank = 0, ranks = 1;
  mpi->setErrorHandler(mpi->world, mpi->errorsReturn);
  mpi->rank(mpi->world, &rank);
  mpi->size(mpi->world, &ranks);
  return std::shared_ptr<MpiCommunicator>(new MpiCommunicator(*mpi, rank, ranks, timeoutSeconds));
}

MpiCommunicator::MpiCommunicator(const MpiLibrary& mpi, int rank, int ranks, double timeoutSeconds)
    : MeetingCommunicator(rank, ranks), mpi_(mpi), timeoutSeconds_(timeoutSeconds) {}

void MpiCommunicator::leave() {
  if (areMeetingsOver()) return;
  MeetingHeader mine;
  mine.kind = MeetingHeader::kLeave;
  Meeting meeting;
  try {
    gatherHeaders(mine, kForEver, meeting);
  } catch (const std::exception&) {
    return;
  }
  if (agree(meeting.headers)) mpi_.finalize();
}

void MpiCommunicator::meet(const MeetingHeader& mine, const void* payload, Meeting& meeting) {
  if (mine.bytes > std::numeric_limits<int>::max()) {
    throw std::runtime_error("MPI moves at most 2 GiB at once, but a collective has " +
                             std::to_string(mine.bytes) + " bytes; use shorter chunks of prompts");
  }
  // Before anyone is met: there may be no memory.
  const size_t bytes = static_cast<size_t>(mine.bytes);
  const bool isBroadcast = mine.kind == MeetingHeader::kBroadcast;
  const size_t needed = isBroadcast ? bytes : bytes * static_cast<size_t>(ranks());
  if (received_.size() < needed) received_.resize(needed);
  meeting.parts.assign(static_cast<size_t>(ranks()), nullptr);

  gatherHeaders(mine, timeoutSeconds_, meeting);
  if (bytes == 0 || !agree(meeting.headers)) return;
  const int count = static_cast<int>(mine.bytes);
  MpiLibrary::Handle request = nullptr;
  if (isBroadcast) {
    const auto root = static_cast<size_t>(mine.root);
    if (rank() == mine.root) std::memcpy(received_.data(), payload, bytes);
    expectSuccess(
        mpi_.broadcast(received_.data(), count, mpi_.byte, static_cast<int>(mine.root), mpi_.world, &request),
        "MPI_Ibcast");
    meeting.parts[root] = received_.data();
  } else {
    expectSuccess(
        mpi_.allGather(payload, count, mpi_.byte, received_.data(), count, mpi_.byte, mpi_.world, &request),
        "MPI_Iallgather");
    for (size_t other = 0; other < meeting.parts.size(); ++other) {
      meeting.parts[other] = received_.data() + other * bytes;
    }
  }
  waitFor(request, timeoutSeconds_, mine);
}

void MpiCommunicator::gatherHeaders(const MeetingHeader& mine, double timeoutSeconds, Meeting& meeting) {
  meeting.headers.resize(static_cast<size_t>(ranks()));
  sent_ = mine;
  MpiLibrary::Handle request = nullptr;
  constexpr int kBytes = sizeof(MeetingHeader);
  expectSuccess(mpi_.allGather(&sent_, kBytes, mpi_.byte, meeting.headers.data(), kBytes, mpi_.byte,
                               mpi_.world, &request),
                "MPI_Iallgather");
  waitFor(request, timeoutSeconds, mine);
}

void MpiCommunicator::waitFor(MpiLibrary::Handle request, double timeoutSeconds, const MeetingHeader& mine) {
  const Clock::time_point start = Clock::now();
  for (int look = 0;; ++look) {
    int done = 0;
    expectSuccess(mpi_.test(&request, &done, nullptr), "MPI_Test");
    if (done != 0) return;
    if (look < kLooks) continue;
    std::this_thread::sleep_for(kPause);
    if (std::chrono::duration<double>(Clock::now() - start).count() < timeoutSeconds) continue;
    throw MeetingsAreOver("rank " + std::to_string(rank()) + " has waited " +
                          std::to_string(static_cast<int64_t>(timeoutSeconds)) + " seconds in pass " +
                          std::to_string(mine.pass) +
                          " for another rank that did not come: it does something else, or hangs "
                          "(PERSIMMON_MPI_TIMEOUT sets the seconds)");
  }
}

void MpiCommunicator::expectSuccess(int code, const char* what) {
  if (code == 0) return;
  throw MeetingsAreOver(std::string(what) + " failed with code " + std::to_string(code));
}

}  // namespace persimmon
