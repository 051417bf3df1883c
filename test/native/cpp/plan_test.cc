// Plans: recording while running, replay, memory that is the plan's own, and edits.
#include "core/plan.h"

#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "check.h"
#include "core/storage.h"
#include "cpu/ops.h"

namespace {

using persimmon::MappedMemory;
using persimmon::Plan;
using persimmon::Storage;
using persimmon::Stream;
using persimmon::ThreadPool;
using persimmon::cpu::Edit;
using persimmon::cpu::EditKind;

std::shared_ptr<Storage> allocate(const std::shared_ptr<Stream>& stream, size_t bytes) {
  return std::make_shared<Storage>(stream, stream->memory()->take(bytes), stream->memory());
}

void increment(const std::shared_ptr<Stream>& stream, int* number) {
  stream->launch([number](ThreadPool&) { ++*number; }, "increment");
}

}  // namespace

TEST(planRunsWhatItRecordsAndReplaysIt) {
  auto stream = std::make_shared<Stream>(2);
  Plan plan(stream);
  int a = 0, b = 0, outside = 0;
  CHECK(plan.begin());
  increment(stream, &a);
  increment(stream, &a);
  CHECK(plan.end() == 2);
  increment(stream, &outside);
  CHECK(plan.begin());
  increment(stream, &b);
  CHECK(!plan.replay(1));  // still being recorded
  CHECK(plan.end() == 1);
  stream->synchronize();
  CHECK(a == 2 && b == 1 && outside == 1);
  for (int i = 0; i < 10; ++i) CHECK(plan.replay(0) && plan.replay(1));
  CHECK(!plan.replay(2));
  stream->synchronize();
  CHECK(a == 22 && b == 11 && outside == 1);
  CHECK(plan.segments()[0]->descriptions == (std::vector<std::string>{"increment", "increment"}));
}

TEST(planLeavesOutWhatHasNotBegunOfAReplayThatIsCancelled) {
  auto stream = std::make_shared<Stream>(2);
  Plan plan(stream);
  std::atomic<int> first{0}, second{0};
  std::atomic<bool> waits{false}, go{false};
  plan.begin();
  stream->launch(
      [&](ThreadPool&) {
        ++first;
        while (waits && !go) std::this_thread::yield();
      },
      "wait");
  stream->launch([&second](ThreadPool&) { ++second; }, "increment");
  plan.end();
  stream->synchronize();
  waits = true;
  const int64_t group = stream->startGroup();
  CHECK(plan.replay(0) && plan.replay(0));
  stream->endGroup();
  CHECK(plan.replay(0));
  while (first < 2) std::this_thread::yield();
  stream->cancel(group);
  go = true;
  stream->synchronize();
  // Of the first replay the op that had begun, of the second nothing, and the third, which is not of the
  // group.
  CHECK(first == 3 && second == 2);
}

TEST(planOfOpsForOneThreadCallsWhatIsPendingOnItsWay) {
  auto stream = std::make_shared<Stream>(2);
  Plan plan(stream);
  int ops = 0, calledAt = -1;
  plan.begin();
  for (int i = 0; i < 20; ++i) increment(stream, &ops);
  plan.end();
  stream->enqueue([&](ThreadPool& pool) {
    ops = 0;
    pool.later([&] { calledAt = ops; });
  });
  plan.replay(0);
  stream->synchronize();
  CHECK(ops == 20 && calledAt == 8);
}

TEST(planRecordsOneAtATimeAndEndsItsRecordingWhenItDies) {
  auto stream = std::make_shared<Stream>(1);
  Plan second(stream);
  {
    Plan first(stream);
    CHECK(first.begin());
    CHECK(!second.begin());
    CHECK(second.end() == -1);
  }
  CHECK(!stream->isRecording());
  CHECK(second.begin());
}

TEST(planMemoryIsReusedWithinThePlanOnly) {
  auto stream = std::make_shared<Stream>(1);
  Plan plan(stream);
  plan.begin();
  auto first = allocate(stream, 4096);
  const uint8_t* data = first->data();
  first = nullptr;
  auto second = allocate(stream, 4096);
  CHECK(second->data() == data);
  second = nullptr;
  plan.end();
  CHECK(allocate(stream, 4096)->data() != data);
  int poisoned = 0;
  plan.poison();
  stream->enqueue([&](ThreadPool&) { poisoned = data[0]; });
  stream->synchronize();
  CHECK(poisoned == 0xFF);
}

TEST(planMemoryOutlivesThePlanUntilTheStreamIsDone) {
  auto stream = std::make_shared<Stream>(2);
  auto sum = std::make_shared<int>(0);
  for (int i = 0; i < 50; ++i) {
    Plan plan(stream);
    plan.begin();
    auto block = allocate(stream, 1 << 16);
    uint8_t* data = block->data();
    stream->launch([data](ThreadPool&) { data[0] = 1, data[65535] = 2; }, "write");
    stream->launch([data, sum](ThreadPool&) { *sum += data[0] + data[65535]; }, "read");
    plan.end();
    for (int k = 0; k < 3; ++k) plan.replay(0);
    // The plan, its block and its commands go while they are still waiting to run.
  }
  stream->synchronize();
  CHECK(*sum == 50 * 4 * 3);
}

TEST(editsDoWhatTheyAreNamedAfter) {
  Stream stream(1);
  const std::vector<float> x = {1, -2, 3, 4, 5, 6};  // [2, 3]
  const std::vector<int32_t> positions = {7, 8}, columns = {2, 0, 99, -1};
  const std::vector<float> operand = {10, 20, 30, 40};
  std::vector<float> parameters = {2, 3}, out(6);
  const auto apply = [&](Edit edit) {
    edit.parameters = parameters.data();
    stream.enqueue(
        [&, edit](ThreadPool& pool) { persimmon::cpu::edit(pool, out.data(), x.data(), 2, 3, edit); });
    stream.synchronize();
    return out;
  };
  Edit edit{};
  edit.kind = EditKind::kSet;
  edit.positions = positions.data();
  edit.columnCount = 3;
  CHECK(apply(edit) == (std::vector<float>{2, 2, 2, 2, 2, 2}));
  edit.kind = EditKind::kScale;
  CHECK(apply(edit) == (std::vector<float>{2, -4, 6, 8, 10, 12}));
  edit.kind = EditKind::kClamp;
  CHECK(apply(edit) == (std::vector<float>{2, 2, 3, 3, 3, 3}));
  // Columns outside of the row are passed over, and so are rows of the operand that are not there.
  edit.kind = EditKind::kAdd;
  edit.columns = columns.data();
  edit.columnCount = 4;
  edit.operand = operand.data();
  edit.operandRows = 1;
  CHECK(apply(edit) == (std::vector<float>{41, -2, 23, 44, 5, 26}));
  const std::vector<int32_t> rowOf = {-1, -1, -1, -1, -1, -1, -1, 5, 0};
  edit.rowOf = rowOf.data();
  edit.positionCount = 9;
  CHECK(apply(edit) == (std::vector<float>{1, -2, 3, 44, 5, 26}));
  edit.kind = EditKind::kReplace;
  parameters[0] = 1;
  CHECK(apply(edit) == (std::vector<float>{1, -2, 3, 20, 5, 10}));
}

TEST(nonFiniteNumbersAreCounted) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x = {0, 1, NAN, infinity, -infinity, 3e38f, -0.0f};
  int32_t found = 1;
  persimmon::cpu::countNonFinite(&found, x.data(), static_cast<int64_t>(x.size()));
  CHECK(found == 4);
}
