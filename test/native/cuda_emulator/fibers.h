// The threads of a block as fibers on one thread of the CPU.
#pragma once

#include <cstddef>
#include <functional>

#include "cuda_runtime.h"

namespace cuda_emulator {

/**
 * Runs `body` once for each thread of one block. Throws std::runtime_error where threads wait for ever, and
 * where one that `overlaps` the kernel before ends without waiting for it.
 */
void runBlock(const std::function<void()>& body, uint3 block, dim3 blocks, dim3 threads, size_t sharedBytes,
              bool overlaps);

/** Calls `run` for each block of a grid, one after the other. */
void forEachBlock(dim3 blocks, const std::function<void(uint3)>& run);

}  // namespace cuda_emulator
