#include "switch.h"

#if defined(__x86_64__)

// What a function of the System V ABI has to leave as it was.
asm(R"(
.text
.type cuda_emulator_switch_stack, @function
cuda_emulator_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size cuda_emulator_switch_stack, .-cuda_emulator_switch_stack
)");

extern "C" void cuda_emulator_switch_stack(void** from, void* to);

namespace cuda_emulator {

void switchStack(void** from, void* to) { cuda_emulator_switch_stack(from, to); }

void* newStack(uint8_t* memory, size_t bytes, void (*main)()) {
  const uintptr_t top = (reinterpret_cast<uintptr_t>(memory) + bytes) & ~uintptr_t{15};
  auto* stack = reinterpret_cast<uintptr_t*>(top);
  *--stack = 0;  // in place of an address to return to
  *--stack = reinterpret_cast<uintptr_t>(main);
  for (int saved = 0; saved < 6; ++saved) *--stack = 0;
  return stack;
}

}  // namespace cuda_emulator

#else

#include <ucontext.h>

#include <memory>

namespace cuda_emulator {

void switchStack(void** from, void* to) {
  // As long as the other stack runs, this one's context lies on it.
  ucontext_t context;
  *from = &context;
  swapcontext(&context, static_cast<ucontext_t*>(to));
}

void* newStack(uint8_t* memory, size_t bytes, void (*main)()) {
  auto* context = new (memory) ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = memory + sizeof(ucontext_t);
  context->uc_stack.ss_size = bytes - sizeof(ucontext_t);
  context->uc_link = nullptr;
  makecontext(context, main, 0);
  return context;
}

}  // namespace cuda_emulator

#endif
