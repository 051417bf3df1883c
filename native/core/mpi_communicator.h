// Ranks as processes that `mpirun` has started, on one machine or several.
#pragma once

#include <memory>

#include "meeting_communicator.h"
#include "mpi_library.h"

namespace persimmon {

class MpiCommunicator : public MeetingCommunicator {
 public:
  // Joins the other processes; nullptr with the reason when it cannot.
  // A rank that waits longer than `timeoutSeconds` for another gives up for good.
  static std::shared_ptr<MpiCommunicator> connect(double timeoutSeconds, std::string& error);

  // At the end of the program, when no other thread uses it any more: says goodbye to the other ranks, which
  // keeps those from waiting that are in the middle of a pass, and ends MPI when all have come so far.
  void leave();

 protected:
  void meet(const MeetingHeader& mine, const void* payload, Meeting& meeting) override;

 private:
  MpiCommunicator(const MpiLibrary& mpi, int rank, int ranks, double timeoutSeconds);

  void gatherHeaders(const MeetingHeader& mine, double timeoutSeconds, Meeting& meeting);
  void waitFor(MpiLibrary::Handle request, double timeoutSeconds, const MeetingHeader& mine);
  void expectSuccess(int code, const char* what);

  const MpiLibrary& mpi_;
  const double timeoutSeconds_;
  // Members, since MPI may still use them after a rank has given up waiting.
  MeetingHeader sent_;
  std::vector<uint8_t> received_;
};

}  // namespace persimmon
