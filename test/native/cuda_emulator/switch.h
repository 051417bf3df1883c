// From one stack to another. The C library's swapcontext asks the kernel for the signal mask at every switch,
// which is most of the time of a test; where this is not written for a processor, it is used all the same.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cuda_emulator {

/** Leaves the running stack, of which `*from` then says how to come back, for one that was left or is new. */
void switchStack(void** from, void* to);

/** A stack on which `main`, that never returns, begins at the first switch to it. */
void* newStack(uint8_t* memory, size_t bytes, void (*main)());

}  // namespace cuda_emulator
