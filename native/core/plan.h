// A plan: ops that were recorded while they ran for the first time, to be run again as they are. It is cut
// into segments; between two of them JavaScript has a turn. Replaying a segment is one command of the stream,
// and on a GPU one launch of a graph. What is recorded runs at once, so that a break between two segments
// sees real values from the first token on; the capture repeats the commands without running them, and then
// the graph runs.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "arena.h"
#include "joined_ops.h"
#include "stream.h"

namespace persimmon {

class Storage;

namespace cuda {
class Graph;
}

struct Segment {
  std::vector<Command> commands;
  // Name and sizes of each op, such as "linear 1 64 256"; for people and snapshot tests.
  std::vector<std::string> descriptions;
  // What each op computes, as far as somebody may want to know; until the segment ends.
  std::vector<OpRecord> records;
  // On a GPU: the ops that are one kernel when the segment is replayed.
  std::vector<JoinedOps> joined;
  // What the commands read or write beside the plan's own memory: weights, caches, inputs.
  std::unordered_set<std::shared_ptr<Storage>> storages;
  // On a GPU: the commands as one graph, captured when the segment is replayed for the first time. That is
  // the stream's thread's own.
  std::shared_ptr<cuda::Graph> graph;
};

class Plan {
 public:
  explicit Plan(std::shared_ptr<Stream> stream);
  // Memory and commands live on until the stream has come so far.
  ~Plan();

  // From now on until `end`, ops that are enqueued are recorded too, and memory comes from the plan's arena.
  // Blocks that are given back while it records are used again in the same order in each replay, which is as
  // safe as it was the first time. False when the stream records already.
  bool begin();
  // Ends the segment and says how many ops it has; -1 when this plan does not record.
  int end();
  // Enqueues the segment. False when there is no such segment or it is still being recorded. Of a group
  // (Stream::startGroup) that becomes void, the ops that have not begun are left out; a graph is launched
  // all the same.
  bool replay(size_t segment);
  // Overwrites the free blocks of the arena with NaN in stream order: a replay must not depend on what they
  // held.
  void poison();

  const std::vector<std::shared_ptr<Segment>>& segments() const { return segments_; }
  bool isRecording() const { return recording_; }
  const Arena& arena() const { return *arena_; }

 private:
  const std::shared_ptr<Stream> stream_;
  std::shared_ptr<Arena> arena_;
  std::vector<std::shared_ptr<Segment>> segments_;
  bool recording_ = false;
};

}  // namespace persimmon
