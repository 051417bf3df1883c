// Blocks that share a result: the last of them to have its part puts all parts together, so that no kernel
// has to be launched for that.
#pragma once

#include "cuda/device.cuh"

namespace persimmon::cuda {

/**
 * By all threads of a block, when they have written its part: whether it is the last of `count` blocks that
 * come. It then sees what the others have written before, by loads past the first-level cache (__ldcg). The
 * counter is 0 before the first and after the last.
 */
__device__ __forceinline__ bool isLastToArrive(unsigned* counter, unsigned count) {
  __shared__ bool isLast;
  __syncthreads();
  if (threadIdx.x == 0) {
    // Fences add up: what the others of this block wrote before the barrier is seen with this thread's count,
    // and what the last block reads behind its barrier comes after all counts.
    __threadfence();
    isLast = atomicAdd(counter, 1u) + 1 == count;
    if (isLast) *counter = 0;
    __threadfence();
  }
  __syncthreads();
  return isLast;
}

}  // namespace persimmon::cuda
