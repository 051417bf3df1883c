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

void LocalGroup::arrive(const std::function<void(const std::function<bool()>& begin)>& lastCome) {
  std::unique_lock lock(mutex_);
  if (!over_.empty()) throw MeetingsAreOver(over_);
  const int64_t before = meetings_;
  if (++arrived_ == ranks()) {
    arrived_ = 0;
    lock.unlock();
    lastCome([&] {
      {
        const std::lock_guard again(mutex_);
        if (!over_.empty()) return false;
        ++meetings_;
      }
      met_.notify_all();
      return true;
    });
    lock.lock();
  } else {
    met_.wait(lock, [&] { return meetings_ != before || !over_.empty(); });
  }
  if (meetings_ == before) throw MeetingsAreOver(over_);
}

std::vector<MeetingHeader> LocalGroup::headers(size_t turn) const {
  std::vector<MeetingHeader> all;
  for (const Seat& seat : seats_) all.push_back(seat.headers[turn]);
  return all;
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
  group_->arrive([&](const std::function<bool()>& begin) { letGo(group_->headers(turn), begin); });
  meeting.headers = group_->headers(turn);
  meeting.parts.clear();
  for (const LocalGroup::Seat& seat : group_->seats_) {
    const bool hasPart = brings(seat.headers[turn], static_cast<int>(meeting.parts.size()));
    meeting.parts.push_back(hasPart ? seat.payloads[turn].data() : nullptr);
  }
}

}  // namespace persimmon
