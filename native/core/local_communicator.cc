#include "local_communicator.h"

#include <utility>

namespace persimmon {

LocalGroup::LocalGroup(int ranks) : seats_(static_cast<size_t>(ranks)) {}

void LocalGroup::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
  }
  met_.notify_all();
}

bool LocalGroup::arrive() {
  std::unique_lock lock(mutex_);
  if (closed_) return false;
  const int64_t before = meetings_;
  if (++arrived_ == ranks()) {
    arrived_ = 0;
    ++meetings_;
    lock.unlock();
    met_.notify_all();
    return true;
  }
  met_.wait(lock, [&] { return meetings_ != before || closed_; });
  return meetings_ != before;
}

LocalCommunicator::LocalCommunicator(std::shared_ptr<LocalGroup> group, int rank)
    : MeetingCommunicator(rank, group->ranks()), group_(std::move(group)) {}

void LocalCommunicator::meet(const MeetingHeader& mine, const void* payload, Meeting& meeting) {
  LocalGroup::Seat& own = group_->seats_[static_cast<size_t>(rank())];
  const size_t turn = static_cast<size_t>(own.meetings % 2);
  if (brings(mine, rank())) {
    const auto* bytes = static_cast<const uint8_t*>(payload);
    own.payloads[turn].assign(bytes, bytes + mine.bytes);
  }
  own.headers[turn] = mine;
  ++own.meetings;
  if (!group_->arrive()) {
    throw MeetingsAreOver("the ranks of a split model do not meet any more: the program ends");
  }
  meeting.headers.clear();
  meeting.parts.clear();
  for (const LocalGroup::Seat& seat : group_->seats_) {
    meeting.headers.push_back(seat.headers[turn]);
    const bool hasPart = brings(seat.headers[turn], static_cast<int>(meeting.parts.size()));
    meeting.parts.push_back(hasPart ? seat.payloads[turn].data() : nullptr);
  }
}

}  // namespace persimmon
