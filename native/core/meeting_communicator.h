// Collectives made of meetings: each rank brings a header and some bytes, and sees what all others have
// brought. The headers say who does what, so that ranks that do different things get an error instead of
// wrong numbers, and a rank that leaves a pass early takes the others with it instead of keeping them
// waiting.
#pragma once

#include <stdexcept>

#include "communicator.h"

namespace persimmon {

// What a rank comes for. Sent between processes as it is.
struct MeetingHeader {
  enum Kind : int64_t { kAllReduce, kAllGather, kBroadcast, kGraph, kEndPass, kLeave };
  Kind kind = kEndPass;
  int64_t pass = 0;
  int64_t checksum = 0;
  // Of the payload that every rank brings, or of a broadcast `root` alone.
  int64_t bytes = 0;
  // Of a broadcast; of a graph its number.
  int64_t root = 0;
  char error[216] = {};
};

// Nobody can be met any more.
class MeetingsAreOver : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class MeetingCommunicator : public Communicator {
 public:
  using Communicator::Communicator;

  void beginPass(int64_t pass, int64_t checksum) override;
  void endPass(const std::string& error) override;
  void allReduce(ThreadPool& pool, float* out, const float* x, int64_t count) override;
  void allGather(ThreadPool& pool, float* out, const float* x, int64_t rows, int64_t total) override;
  void broadcast(void* data, int64_t bytes, int root) override;

 protected:
  struct Meeting {
    std::vector<MeetingHeader> headers;
    // The payload of each rank, nullptr where it brought none; valid until this rank's next meeting, and only
    // when the headers agree.
    std::vector<const uint8_t*> parts;
  };

  // Waits for all ranks. Throws MeetingsAreOver, or what went wrong before it has met anyone (no memory).
  // `payload` is nullptr where the ranks only agree on what they do.
  virtual void meet(const MeetingHeader& mine, const void* payload, Meeting& meeting) = 0;

  // All ranks come for the same thing.
  static bool agree(const std::vector<MeetingHeader>& headers);
  static bool brings(const MeetingHeader& header, int rank);
  // For the end of the program.
  bool areMeetingsOver() const { return !over_.empty(); }
  // False when there is nothing to be had, since a rank has left this pass.
  bool exchange(MeetingHeader mine, const void* payload);
  // This rank can do no more in the pass, which the others learn when it ends here.
  void giveUp() { hasFailed_ = true; }

 private:
  // What is wrong with what the others have come for; empty when nothing is.
  std::string complaint(const MeetingHeader& mine) const;

  Meeting meeting_;
  int64_t pass_ = -1;
  int64_t checksum_ = 0;
  // There is no pass, or all ranks know that it is void: they do not meet again in it.
  bool isVoid_ = true;
  bool hasFailed_ = false;
  std::string over_;
};

}  // namespace persimmon
