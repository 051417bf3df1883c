// The threads of a block as fibers on one thread of the CPU.
#pragma once

#include <cstddef>
#include <functional>

#include "cuda_runtime.h"

namespace cuda_emulator {

/** Runs `body` once for each thread of one block. Throws std::runtime_error where threads wait for ever. */
void runBlock(const std::function<void()>& body, uint3 block, dim3 blocks, dim3 threads, size_t sharedBytes);

}  // namespace cuda_emulator
