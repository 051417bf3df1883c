// Products with the ops around them, as one kernel each.
#pragma once

#include "core/joined_ops.h"
#include "cuda/queue.h"

namespace persimmon::cuda {

/** All that the joined ops write, to the bits of the ops alone. */
void linearJoined(Queue& queue, const JoinedOps& joined);

}  // namespace persimmon::cuda
