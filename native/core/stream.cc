#include "stream.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "../cuda/queue.h"
#include "plan.h"
#include "storage.h"

namespace persimmon {

namespace {

// Activations of a forward pass of a few hundred tokens of the 8B fit; more is given back to the system.
constexpr size_t kArenaCacheBytes = size_t{512} << 20;

// A GPU gives memory back, and gets it anew, only when it stands still. Chunks of 2,048 tokens of the 8B take
// 1.7 GB: a sixteenth of an H100 has them.
size_t arenaCacheBytes(const cuda::Queue* gpu) {
  return gpu == nullptr ? kArenaCacheBytes : std::max(kArenaCacheBytes, gpu->info().totalBytes / 16);
}

// As many threads as the system gives: one at worst.
std::unique_ptr<ThreadPool> makePool(int threads) {
  try {
    return std::make_unique<ThreadPool>(threads);
  } catch (const std::exception&) {
    return std::make_unique<ThreadPool>(1);
  }
}

}  // namespace

Stream::Stream(int threads, std::shared_ptr<cuda::Queue> gpu, MatmulPrecision precision)
    : threads_(threads),
      gpu_(std::move(gpu)),
      precision_(precision),
      arena_(std::make_shared<Arena>(
          arenaCacheBytes(gpu_.get()), [this](size_t bytes) { return allocate(bytes); },
          [this](MappedMemory memory) {
            auto held = std::make_shared<MappedMemory>(std::move(memory));
            enqueue([held](ThreadPool&) { *held = MappedMemory(); });
          })) {
  if (gpu_ != nullptr) gpu_->setMatmulPrecision(precision_);
  thread_ = std::thread([this] { run(); });
}

Stream::~Stream() { stop(); }

void Stream::stop() {
  // Commands that never ran may own memory that the running one still reads: they are destroyed after it has
  // ended.
  std::deque<Command> dropped;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(queue_);
  }
  wake_.notify_all();
  finished_.notify_all();
  if (thread_.joinable()) thread_.join();
}

MappedMemory Stream::allocate(size_t bytes) {
  if (gpu_ == nullptr) return MappedMemory::anonymous(bytes);
  uint8_t* data = gpu_->allocate(bytes);
  if (data == nullptr && gpu_->whyOver().empty() && arena_->discardFree()) {
    synchronize();
    data = gpu_->allocate(bytes);
  }
  return MappedMemory::foreign(data, bytes, [gpu = gpu_](uint8_t* block) { gpu->release(block); });
}

MappedMemory Stream::reserve(size_t bytes) {
  MappedMemory memory = allocate(bytes);
  if (gpu_ != nullptr && memory) {
    enqueue([gpu = gpu_, data = memory.data(), bytes](ThreadPool&) { gpu->fill(data, 0, bytes); });
  }
  return memory;
}

void Stream::enqueue(Command command) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(command));
  }
  wake_.notify_one();
}

void Stream::launch(Command command, std::string description, OpRecord record) {
  if (segment_ != nullptr) {
    segment_->commands.push_back(command);
    segment_->descriptions.push_back(std::move(description));
    segment_->records.push_back(std::move(record));
  }
  if (group_ != nullptr) {
    command = [isVoid = group_, inner = std::move(command)](ThreadPool& pool) {
      if (!isVoid->load(std::memory_order_relaxed)) inner(pool);
    };
  }
  enqueue(std::move(command));
}

int64_t Stream::startGroup() {
  std::erase_if(groups_, [](const auto& entry) { return entry.second.expired(); });
  group_ = std::make_shared<std::atomic<bool>>(false);
  groups_[++lastGroup_] = group_;
  return lastGroup_;
}

void Stream::cancel(int64_t group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) return;
  if (const auto isVoid = found->second.lock()) isVoid->store(true, std::memory_order_relaxed);
}

void Stream::startRecording(std::shared_ptr<Segment> segment, std::shared_ptr<Arena> arena) {
  segment_ = std::move(segment);
  planArena_ = std::move(arena);
}

void Stream::stopRecording() {
  segment_ = nullptr;
  planArena_ = nullptr;
}

void Stream::synchronize() {
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [this] { return (queue_.empty() && !busy_) || stopping_; });
}

std::string Stream::takeError() {
  std::lock_guard lock(mutex_);
  return std::exchange(error_, {});
}

void Stream::fail(const std::string& error) {
  std::lock_guard lock(mutex_);
  if (error_.empty()) error_ = error;
}

void Stream::run() {
  // Created here, so that the stream's thread is the pool's caller and counts as one of its threads.
  const std::unique_ptr<ThreadPool> pool = makePool(threads_);
  pool->setMatmulPrecision(precision_);
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return !queue_.empty() || stopping_; });
    if (stopping_) return;
    Command command = std::move(queue_.front());
    queue_.pop_front();
    busy_ = true;
    lock.unlock();
    std::string error;
    try {
      command(*pool);
    } catch (const std::exception& failure) {
      error = failure.what();
    }
    command = nullptr;
    lock.lock();
    if (queue_.empty()) {
      lock.unlock();
      pool->callNow();
      lock.lock();
    }
    if (error_.empty()) error_ = std::move(error);
    busy_ = false;
    if (queue_.empty()) finished_.notify_all();
  }
}

}  // namespace persimmon
