#include "fibers.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "switch.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define FIBERS_TELL_SANITIZER 1
#endif

uint3 threadIdx{}, blockIdx{};
dim3 blockDim, gridDim;

namespace cuda_emulator {

namespace {

constexpr size_t kStackBytes = 96 << 10;
constexpr size_t kMostThreads = 1024;
constexpr size_t kMostSharedBytes = 227 << 10;  // of a block on sm_90

// Where the lanes of one mask meet. What they gave is kept twice, since a lane that goes on may give again
// before the others have read.
struct Exchange {
  unsigned mask = 0;
  unsigned done = 0;  // how many there have been
  int arrived = 0;
  alignas(64) uint8_t values[2][32 * 64];
};

struct Warp {
  std::vector<std::unique_ptr<Exchange>> exchanges;

  Exchange& of(unsigned mask) {
    for (const auto& exchange : exchanges) {
      if (exchange->mask == mask) return *exchange;
    }
    Exchange& made = *exchanges.emplace_back(std::make_unique<Exchange>());
    made.mask = mask;
    return made;
  }
};

struct Fiber {
  std::unique_ptr<uint8_t[]> stack{new uint8_t[kStackBytes]};
  void* context = nullptr;  // where its stack was left
  uint3 thread{};
  unsigned linear = 0;  // number of the thread in its block
  // What it waits for; null when it can go on.
  std::function<bool()> isReady;
  bool done = true;
  bool hasWaited = false;  // for the kernel before
  [[maybe_unused]] void* sanitizerStack = nullptr;
};

struct Block {
  const std::function<void()>* body = nullptr;
  bool overlaps = false;  // it may begin while the kernel before still runs
  unsigned alive = 0;
  unsigned barrier = 0;  // how many there have been
  unsigned waiting = 0;  // threads that stand at the next
  int votes = 0, lastVotes = 0;
  std::vector<Warp> warps;
  std::string failure;
};

// Never freed: a process ends while others still launch.
auto& fibers = *new std::vector<std::unique_ptr<Fiber>>;
void* schedulerContext = nullptr;
#ifdef FIBERS_TELL_SANITIZER
const void* schedulerStack = nullptr;
size_t schedulerStackBytes = 0;
void* schedulerSanitizerStack = nullptr;
#endif
Fiber* current = nullptr;
Block block;
alignas(128) uint8_t shared[kMostSharedBytes];

void toScheduler() {
#ifdef FIBERS_TELL_SANITIZER
  __sanitizer_start_switch_fiber(&current->sanitizerStack, schedulerStack, schedulerStackBytes);
#endif
  switchStack(&current->context, schedulerContext);
#ifdef FIBERS_TELL_SANITIZER
  __sanitizer_finish_switch_fiber(current->sanitizerStack, &schedulerStack, &schedulerStackBytes);
#endif
}

void resume(Fiber& fiber) {
  current = &fiber;
  threadIdx = fiber.thread;
#ifdef FIBERS_TELL_SANITIZER
  __sanitizer_start_switch_fiber(&schedulerSanitizerStack, fiber.stack.get(), kStackBytes);
#endif
  switchStack(&schedulerContext, fiber.context);
#ifdef FIBERS_TELL_SANITIZER
  __sanitizer_finish_switch_fiber(schedulerSanitizerStack, nullptr, nullptr);
#endif
}

// Gives up this block; the fibers that stand in the middle of it are thrown away.
[[noreturn]] void fail(const char* why) {
  block.failure = why;
  toScheduler();
  std::abort();  // nobody goes on with a fiber of a failed block
}

[[noreturn]] void fiberMain() {
#ifdef FIBERS_TELL_SANITIZER
  __sanitizer_finish_switch_fiber(nullptr, &schedulerStack, &schedulerStackBytes);
#endif
  while (true) {
    (*block.body)();
    if (block.overlaps && !current->hasWaited) fail("a thread ends without waiting for the kernel before");
    current->done = true;
    --block.alive;
    toScheduler();
  }
}

void waitUntil(std::function<bool()> isReady) {
  current->isReady = std::move(isReady);
  toScheduler();
  current->isReady = nullptr;
}

// From last to first. A warp goes as far as it can before the next one begins, so that two which one barrier
// too few lets race come in one order forwards and in the other backwards.
bool isBackward() {
  static const bool is = std::getenv("PERSIMMON_CUDA_EMULATOR_BACKWARD") != nullptr;
  return is;
}

// Each thread of a warp up to where it waits; false where none can go on.
bool advanceWarp(unsigned first, unsigned threads) {
  bool progress = false;
  for (unsigned i = 0; i < threads && block.failure.empty(); ++i) {
    Fiber& fiber = *fibers[first + (isBackward() ? threads - 1 - i : i)];
    if (fiber.done || (fiber.isReady != nullptr && !fiber.isReady())) continue;
    progress = true;
    resume(fiber);
  }
  return progress;
}

}  // namespace

int lane() { return static_cast<int>(current->linear % 32); }

uint8_t* dynamicShared() { return shared; }

void blockBarrier() { __syncthreads_count(0); }

const uint8_t* exchange(unsigned mask, const void* value, size_t bytes) {
  if ((mask >> lane() & 1) == 0) fail("a lane takes part in an exchange that its mask leaves out");
  Exchange& meeting = block.warps[current->linear / 32].of(mask);
  const unsigned number = meeting.done;
  uint8_t* values = meeting.values[number & 1];
  std::memcpy(values + 64 * lane(), value, bytes);
  if (++meeting.arrived == __builtin_popcount(mask)) {
    meeting.arrived = 0;
    ++meeting.done;
  } else {
    waitUntil([&meeting, number] { return meeting.done != number; });
  }
  return values;
}

void runBlock(const std::function<void()>& body, uint3 at, dim3 blocks, dim3 threads, size_t sharedBytes,
              bool overlaps) {
  const unsigned count = threads.x * threads.y * threads.z;
  if (count == 0 || count > kMostThreads) throw std::runtime_error("a block has 1 to 1024 threads");
  if (sharedBytes > kMostSharedBytes)
    throw std::runtime_error("a block has at most 227 KiB of shared memory");
  std::memset(shared, 0xFF, sharedBytes);
  blockIdx = at;
  blockDim = threads;
  gridDim = blocks;
  block.body = &body;
  block.overlaps = overlaps;
  block.alive = count;
  block.barrier = block.waiting = 0;
  block.votes = 0;
  block.warps.clear();
  block.warps.resize((count + 31) / 32);
  block.failure.clear();
  while (fibers.size() < count) {
    Fiber& fiber = *fibers.emplace_back(std::make_unique<Fiber>());
    fiber.context = newStack(fiber.stack.get(), kStackBytes, fiberMain);
  }
  for (unsigned i = 0; i < count; ++i) {
    Fiber& fiber = *fibers[i];
    fiber.thread = {i % threads.x, i / threads.x % threads.y, i / threads.x / threads.y};
    fiber.linear = i;
    fiber.isReady = nullptr;
    fiber.done = false;
    fiber.hasWaited = false;
  }
  bool progress = true;
  while (block.alive > 0) {
    if (!progress)
      block.failure = "threads of a block wait for one another: not all reach a barrier or an exchange";
    if (!block.failure.empty()) {
      fibers.clear();
      throw std::runtime_error(block.failure);
    }
    progress = false;
    const auto warps = static_cast<unsigned>(block.warps.size());
    for (unsigned i = 0; i < warps; ++i) {
      const unsigned first = 32 * (isBackward() ? warps - 1 - i : i);
      while (advanceWarp(first, std::min(count - first, 32u))) progress = true;
    }
    // Threads that ended count as if they stood at the barrier.
    if (block.waiting > 0 && block.waiting == block.alive) {
      block.lastVotes = block.votes;
      block.votes = 0;
      block.waiting = 0;
      ++block.barrier;
      progress = true;
    }
  }
}

void forEachBlock(dim3 blocks, const std::function<void(uint3)>& run) {
  const uint64_t count = uint64_t{blocks.x} * blocks.y * blocks.z;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t number = isBackward() ? count - 1 - i : i;
    run({static_cast<unsigned>(number % blocks.x), static_cast<unsigned>(number / blocks.x % blocks.y),
         static_cast<unsigned>(number / blocks.x / blocks.y)});
  }
}

}  // namespace cuda_emulator

unsigned __ballot_sync(unsigned mask, int predicate) {
  const uint8_t* all = cuda_emulator::exchange(mask, &predicate, sizeof predicate);
  unsigned result = 0;
  for (int lane = 0; lane < 32; ++lane) {
    int vote;
    std::memcpy(&vote, all + 64 * lane, sizeof vote);
    if ((mask >> lane & 1) != 0 && vote != 0) result |= 1u << lane;
  }
  return result;
}

int __syncthreads_count(int predicate) {
  using namespace cuda_emulator;
  const unsigned number = block.barrier;
  ++block.waiting;
  block.votes += predicate != 0 ? 1 : 0;
  waitUntil([number] { return block.barrier != number; });
  return block.lastVotes;
}

void cudaGridDependencySynchronize() { cuda_emulator::current->hasWaited = true; }

int __syncthreads_or(int predicate) { return __syncthreads_count(predicate) != 0; }
