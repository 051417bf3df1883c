#include <optional>

#include "cuda/nccl_communicator.h"
#include "cuda/nccl_group.h"
#include "cuda/ops.h"

namespace persimmon::cuda {

namespace {

constexpr auto kFloatBytes = static_cast<int64_t>(sizeof(float));

class NcclCommunicator final : public LocalCommunicator,
                               public GraphPartner,
                               public std::enable_shared_from_this<NcclCommunicator> {
 public:
  NcclCommunicator(std::shared_ptr<NcclGroup> group, int rank)
      : LocalCommunicator(group->meetings(), rank), group_(std::move(group)) {}

  // Summed in NCCL's order, which depends on the number of ranks and the links between them, and not on the
  // run.
  void allReduce(ThreadPool&, float* out, const float* x, int64_t count) override {
    const auto met = meetFor(MeetingHeader::kAllReduce, count * kFloatBytes);
    if (!met) return;
    call("an all-reduce", [&](void* communicator, void* stream) {
      return nccl().allReduce(x, out, static_cast<size_t>(count), NcclFunctions::kFloat32,
                              NcclFunctions::kSum, communicator, stream);
    });
  }

  // NCCL puts the parts behind one another, as long as the first: of several rows they are sorted afterwards.
  void allGather(ThreadPool&, float* out, const float* x, int64_t rows, int64_t total) override {
    const Part own = partOf(total, rank(), ranks());
    const int64_t size = rows * partOf(total, 0, ranks()).count;
    const bool inOrder = rows == 1 && size * ranks() == total;
    // Before the ranks meet: who has no memory for it does not come.
    float* gathered = inOrder ? out : working(size * (ranks() + 1));
    const bool isShort = rows * own.count < size;
    float* padded = gathered + size * ranks();
    {
      const auto met = meetFor(MeetingHeader::kAllGather, size * kFloatBytes);
      if (!met) return;
      if (isShort) queue().copy(padded, x, static_cast<size_t>(rows * own.count * kFloatBytes));
      call("an all-gather", [&](void* communicator, void* stream) {
        return nccl().allGather(isShort ? padded : x, gathered, static_cast<size_t>(size),
                                NcclFunctions::kFloat32, communicator, stream);
      });
    }
    if (inOrder) return;
    for (int other = 0; other < ranks(); ++other) {
      const Part part = partOf(total, other, ranks());
      copyBlocks(queue(), reinterpret_cast<uint8_t*>(out + part.first), total * kFloatBytes,
                 reinterpret_cast<const uint8_t*>(gathered + other * size), part.count * kFloatBytes,
                 part.count * kFloatBytes, rows);
    }
  }

  void broadcast(void* data, int64_t bytes, int root) override {
    const auto met = meetFor(MeetingHeader::kBroadcast, bytes, root);
    if (!met) return;
    call("a broadcast", [&](void* communicator, void* stream) {
      return nccl().broadcast(data, data, static_cast<size_t>(bytes), NcclFunctions::kBytes, root,
                              communicator, stream);
    });
  }

  bool launch(int64_t graph, const std::function<void()>& start) override {
    const auto met = meetFor(MeetingHeader::kGraph, 0, graph);
    if (!met) return false;
    try {
      group_->start(rank(), start);
    } catch (const Error& error) {
      group_->fail("rank " + std::to_string(rank()) + ": " + error.what());
      throw;
    }
    group_->watch(rank());
    return true;
  }

 private:
  Queue& queue() const { return group_->queue(rank()); }
  const NcclFunctions& nccl() const { return group_->nccl(); }

  // Where all ranks do this now: the launch that is expected of this one.
  std::optional<OwnLaunch> meetFor(MeetingHeader::Kind kind, int64_t bytes, int64_t root = 0) {
    MeetingHeader mine;
    mine.kind = kind;
    mine.bytes = bytes;
    mine.root = root;
    if (exchange(mine, nullptr)) return OwnLaunch(group_->launches());
    // A graph that lacks a collective is never launched, and not kept: its launch comes to nothing here.
    queue().shareCapture(shared_from_this(), collectives_);
    return {};
  }

  // Who has met for a collective launches it.
  void letGo(const std::vector<MeetingHeader>& headers, const std::function<bool()>& begin) override {
    if (headers[0].kind == MeetingHeader::kEndPass || !agree(headers)) {
      begin();
    } else {
      group_->launches().expect(ranks(), begin);
    }
  }

  float* working(int64_t count) {
    try {
      return reinterpret_cast<float*>(queue().scratch(static_cast<size_t>(count * kFloatBytes)));
    } catch (...) {
      giveUp();
      throw;
    }
  }

  template <class Collective>
  void call(const char* what, const Collective& collective) {
    group_->call(rank(), what, collective);
    if (!queue().shareCapture(shared_from_this(), ++collectives_)) group_->watch(rank());
  }

  const std::shared_ptr<NcclGroup> group_;
  // The same on all ranks, so a graph has the number of its last collective.
  int64_t collectives_ = 0;
};

}  // namespace

NcclRanks connectByNccl(const std::vector<std::shared_ptr<Stream>>& streams, double timeoutSeconds,
                        std::string& why) {
  const NcclFunctions* nccl = NcclFunctions::load(why);
  if (nccl == nullptr) return {};
  NcclRanks made;
  try {
    const auto group = std::make_shared<NcclGroup>(*nccl, streams, timeoutSeconds);
    made.meetings = group->meetings();
    // What a group before this one has left behind, which nobody has read.
    for (const auto& stream : streams)
      stream->enqueue([own = stream.get()](ThreadPool&) { own->takeError(); });
    for (int rank = 0; rank < group->ranks(); ++rank)
      made.communicators.push_back(std::make_shared<NcclCommunicator>(group, rank));
  } catch (const Error& error) {
    why = error.what();
    return {};
  }
  return made;
}

}  // namespace persimmon::cuda
