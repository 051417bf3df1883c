// Ranks within one process, each on the thread of a stream of its own.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "meeting_communicator.h"

namespace persimmon {

// Where the ranks of a process meet.
class LocalGroup {
 public:
  explicit LocalGroup(int ranks);

  int ranks() const { return static_cast<int>(seats_.size()); }
  // Ends all waiting, for ever: from now on whoever comes is turned away, and told why. Only the first
  // counts.
  void close(const std::string& why = "the program ends");
  // Why, or empty.
  std::string over() const;

 private:
  friend class LocalCommunicator;

  // What a rank has brought to this meeting and to the one before, which others may still read: whoever comes
  // to the next meeting has done with the one before the last.
  struct Seat {
    MeetingHeader headers[2];
    std::vector<uint8_t> payloads[2];
    int64_t meetings = 0;
  };

  // Waits for all ranks. The last one lets them go by calling `begin`, or has `lastCome` call it, which gets
  // the turn of the seats that were filled; `begin` says whether the group was closed meanwhile. Throws
  // MeetingsAreOver when it was.
  void arrive(const std::function<void(const std::function<bool()>& begin)>& lastCome);
  // What all have brought for a meeting.
  std::vector<MeetingHeader> headers(size_t turn) const;

  std::vector<Seat> seats_;
  mutable std::mutex mutex_;
  std::condition_variable met_;
  int arrived_ = 0;
  int64_t meetings_ = 0;
  // Why nobody meets here any more; empty while they do.
  std::string over_;
};

class LocalCommunicator : public MeetingCommunicator {
 public:
  LocalCommunicator(std::shared_ptr<LocalGroup> group, int rank);
  std::string over() const override { return group_->over(); }

 protected:
  void meet(const MeetingHeader& mine, const void* payload, Meeting& meeting) override;
  // Lets the ranks go on when all have come, by calling `begin`, which is false where the group was closed
  // meanwhile. On the thread of the rank that came last.
  virtual void letGo(const std::vector<MeetingHeader>& headers, const std::function<bool()>& begin) {
    static_cast<void>(headers);
    begin();
  }

 private:
  const std::shared_ptr<LocalGroup> group_;
};

}  // namespace persimmon
