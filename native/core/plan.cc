#include "plan.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <utility>

#include "../cuda/queue.h"
#include "storage.h"

namespace persimmon {

namespace {

// A plan keeps all its memory until it dies.
constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
// Joined ops (joined_ops.h) are up to three, and must not write what one of them reads: what the first or the
// second has done with is not the third's yet.
constexpr int kRest = 2;
// Of a small model no op is worth several threads: by then nobody waits for one that calls what is pending.
constexpr size_t kOpsAlone = 8;

void run(const Segment& segment, ThreadPool& pool, const std::atomic<bool>* isVoid) {
  for (size_t i = 0; i < segment.commands.size(); ++i) {
    if (isVoid != nullptr && isVoid->load(std::memory_order_relaxed)) return;
    if (i == kOpsAlone) pool.callNow();
    segment.commands[i](pool);
  }
}

// The same with joined ops.
void runJoined(const Segment& segment, ThreadPool& pool, cuda::Queue& gpu) {
  auto joined = segment.joined.begin();
  for (size_t i = 0; i < segment.commands.size();) {
    if (joined == segment.joined.end() || joined->first != i) {
      segment.commands[i++](pool);
    } else {
      gpu.launch(*joined);
      i += joined++->count;
    }
  }
}

std::shared_ptr<cuda::Graph> captured(const Segment& segment, ThreadPool& pool, cuda::Queue& gpu) {
  gpu.beginCapture();
  try {
    runJoined(segment, pool, gpu);
  } catch (...) {
    gpu.dropCapture();
    throw;
  }
  return gpu.endCapture();
}

void runOnGpu(Segment& segment, ThreadPool& pool, cuda::Queue& gpu) {
  std::shared_ptr<cuda::Graph> graph =
      segment.graph == nullptr ? captured(segment, pool, gpu) : segment.graph;
  // Of graphs with collectives in them either all ranks keep theirs or none: what one alone captured anew
  // would not fit.
  if (gpu.launch(*graph)) segment.graph = std::move(graph);
}

}  // namespace

Plan::Plan(std::shared_ptr<Stream> stream)
    : stream_(std::move(stream)),
      arena_(std::make_shared<Arena>(
          kNoLimit, [stream = stream_.get()](size_t bytes) { return stream->allocate(bytes); },
          [](MappedMemory) {}, stream_->gpu() == nullptr ? 0 : kRest)) {}

Plan::~Plan() {
  if (recording_) stream_->stopRecording();
  stream_->enqueue(
      [arena = std::move(arena_), segments = std::move(segments_), gpu = stream_->gpu()](ThreadPool&) {
        // What its graphs read and write is freed next, and the last launch may still be running.
        if (gpu != nullptr) gpu->synchronize();
      });
}

bool Plan::begin() {
  if (stream_->isRecording()) return false;
  segments_.push_back(std::make_shared<Segment>());
  stream_->startRecording(segments_.back(), arena_);
  recording_ = true;
  return true;
}

int Plan::end() {
  if (!recording_) return -1;
  stream_->stopRecording();
  recording_ = false;
  Segment& segment = *segments_.back();
  if (stream_->gpu() != nullptr && stream_->joinsOps()) segment.joined = findJoinedOps(segment.records);
  segment.records = {};
  return static_cast<int>(segment.commands.size());
}

bool Plan::replay(size_t index) {
  if (index >= segments_.size() || (recording_ && index + 1 == segments_.size())) return false;
  stream_->enqueue([segment = segments_[index], arena = arena_, gpu = stream_->gpu(),
                    isVoid = stream_->group()](ThreadPool& pool) {
    if (gpu == nullptr) {
      run(*segment, pool, isVoid.get());
    } else {
      runOnGpu(*segment, pool, *gpu);
    }
  });
  return true;
}

void Plan::poison() {
  arena_->forEachFree([this](uint8_t* data, size_t bytes) {
    stream_->enqueue([data, bytes, arena = arena_, gpu = stream_->gpu()](ThreadPool&) {
      if (gpu == nullptr) {
        std::memset(data, 0xFF, bytes);
      } else {
        gpu->fill(data, 0xFF, bytes);
      }
    });
  });
}

}  // namespace persimmon
