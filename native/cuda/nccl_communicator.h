// Ranks on GPUs of one machine. What they exchange goes from GPU to GPU, by NCCL; that they do the same thing
// they agree on beforehand, on their threads, as ranks on CPUs do (core/local_communicator.h). So no GPU is
// ever given a collective that another one lacks: a pass that one rank leaves is void, and the next one is
// whole.
//
// Into a graph go the collectives themselves; the ranks meet once for each launch of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/communicator.h"
#include "core/local_communicator.h"
#include "core/stream.h"

namespace persimmon::cuda {

struct NcclRanks {
  /** In the order of ranks; empty where they could not be connected. */
  std::vector<std::shared_ptr<Communicator>> communicators;
  std::shared_ptr<LocalGroup> meetings;
};

/**
 * A rank on the GPU of each of these streams, which must be different ones; none with the reason: no NCCL, or
 * one that fails.
 * @param timeoutSeconds what a GPU may wait for others before all give up
 */
NcclRanks connectByNccl(const std::vector<std::shared_ptr<Stream>>& streams, double timeoutSeconds,
                        std::string& why);

}  // namespace persimmon::cuda
