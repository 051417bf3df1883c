#include "local_communicator.h"

#include <utility>

namespace persimmon {

LocalGroup::LocalGroup(int ranks) : seats_(static_cast<size_t>(ranks)) {}

void LocalGroup::close(const std::string& why) {
  {
    std::lock_guard lock(mutex_);
    if (over_.empty()) over_ = "the ranks of a split model do not meet any more: " + why;
  }
  met_.notify_all();
}

std::string LocalGroup::over() const {
  std::lock_guard lock(mutex_);
  return over_;
}

void LocalGroup::arrive() {
  std::unique_lock lock(mutex_);
  if (!over_.empty()) throw MeetingsAreOver(over_);
  const int64_t before = meetings_;
  if (++arrived_ == ranks()) {
    arrived_ = 0;
    ++meetings_;
    lock.unlock();
    met_.notify_all();
    return;
  }
  met_.wait(lock, [&] { return meetings_ != before || !over_.empty(); });
  if (meetings_ == before) throw MeetingsAreOver(over_);
}

LocalCommunicator::LocalCommunicator(std::shared_ptr<LocalGroup> group, int rank)
    : MeetingCommunicator(rank, group->ranks()), group_(std::move(group)) {}

void LocalCommunicator::meet(const MeetingHeader& mine, const void* payload, Meeting& meeting) {
  LocalGroup::Seat& own = group_->seats_[static_cast<size_t>(rank())];
  const size_t turn = static_cast<size_t>(own.meetings % 2);
  if (payload != nullptr && brings(mine, rank())) {
    const auto* bytes = static_cast<const uint8_t*>(payload);
    own.payloads[turn].assign(bytes, bytes + mine.bytes);
  }
  own.headers[turn] = mine;
  ++own.meetings;
  group_->arrive();
  meeting.headers.clear();
  meeting.parts.clear();
  for (const LocalGroup::Seat& seat : group_->seats_) {
    meeting.headers.push_back(seat.headers[turn]);
    const bool hasPart = brings(seat.headers[turn], static_cast<int>(meeting.parts.size()));
    meeting.parts.push_back(hasPart ? seat.payloads[turn].data() : nullptr);
  }
}

}  // namespace persimmon
