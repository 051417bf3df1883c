// Ranks within a process: sums and gathers in the order of ranks, recorded and replayed, and no waiting for a
// rank that was cancelled, has failed, does something else, or is gone.
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "check.h"
#include "core/local_communicator.h"
#include "core/plan.h"

namespace {

using persimmon::Communicator;
using persimmon::LocalCommunicator;
using persimmon::LocalGroup;
using persimmon::Part;
using persimmon::partOf;
using persimmon::Plan;
using persimmon::Stream;
using persimmon::ThreadPool;

// Ranks with a stream each, which go in the order in which the addon ends them: the group closes first.
struct Ranks {
  explicit Ranks(int count) : group(std::make_shared<LocalGroup>(count)) {
    for (int rank = 0; rank < count; ++rank) {
      streams.push_back(std::make_shared<Stream>(1 + rank % 2));
      communicators.push_back(std::make_shared<LocalCommunicator>(group, rank));
    }
  }
  ~Ranks() { group->close(); }

  int count() const { return group->ranks(); }
  Communicator* at(int rank) { return communicators[static_cast<size_t>(rank)].get(); }
  Stream& stream(int rank) { return *streams[static_cast<size_t>(rank)]; }

  void begin(int rank, int64_t pass, int64_t checksum = 0) {
    stream(rank).enqueue([=, c = at(rank)](ThreadPool&) { c->beginPass(pass, checksum); });
  }
  void end(int rank, std::string error = "") {
    stream(rank).enqueue([=, c = at(rank)](ThreadPool&) { c->endPass(error); });
  }
  void reduce(int rank, std::vector<float>& out, const std::vector<float>& x) {
    stream(rank).launch(
        [&out, &x, c = at(rank)](ThreadPool& pool) {
          c->allReduce(pool, out.data(), x.data(), static_cast<int64_t>(x.size()));
        },
        "allReduce");
  }
  std::string errorOf(int rank) {
    stream(rank).synchronize();
    return stream(rank).takeError();
  }

  std::shared_ptr<LocalGroup> group;
  std::vector<std::shared_ptr<Stream>> streams;
  std::vector<std::shared_ptr<LocalCommunicator>> communicators;
};

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST(partsOfAnAxisAreContiguousAndCoverIt) {
  for (int64_t total : {1, 4, 5, 97, 262144}) {
    for (int ranks : {1, 2, 3, 4, 8}) {
      int64_t next = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const Part part = partOf(total, rank, ranks);
        CHECK(part.first == next && part.count >= 0);
        next += part.count;
      }
      CHECK(next == total);
    }
  }
}

TEST(ranksSumInTheOrderOfRanksAndGetTheSameBits) {
  const int passes = check::sanitized() ? 40 : 400;
  for (int count : {1, 2, 4}) {
    Ranks ranks(count);
    check::Random random(7);
    const auto n = static_cast<size_t>(count);
    for (int pass = 0; pass < passes; ++pass) {
      const size_t size = pass == 0 ? 150000 : static_cast<size_t>(random.below(50));
      std::vector<std::vector<float>> x, out(n, std::vector<float>(size)), twice(n, std::vector<float>(size));
      for (int rank = 0; rank < count; ++rank) x.push_back(random.normals(size, 1e3f));
      for (int rank = 0; rank < count; ++rank) {
        const auto r = static_cast<size_t>(rank);
        ranks.begin(rank, pass);
        ranks.reduce(rank, out[r], x[r]);
        ranks.reduce(rank, twice[r], out[r]);
        ranks.end(rank);
      }
      for (int rank = 0; rank < count; ++rank) CHECK(ranks.errorOf(rank).empty());
      std::vector<float> sum = x[0], doubled;
      for (size_t rank = 1; rank < n; ++rank) {
        for (size_t i = 0; i < size; ++i) sum[i] += x[rank][i];
      }
      doubled = sum;
      for (size_t rank = 1; rank < n; ++rank) {
        for (size_t i = 0; i < size; ++i) doubled[i] += sum[i];
      }
      for (size_t rank = 0; rank < n; ++rank) {
        CHECK(check::sameBits(out[rank], sum));
        CHECK(check::sameBits(twice[rank], doubled));
      }
    }
  }
}

TEST(ranksPutUnequalPartsSideBySideAndTakeOverWhatOneHas) {
  constexpr int kRanks = 3;
  constexpr int64_t kRows = 5, kTotal = 7;  // parts of 3, 3 and 1
  Ranks ranks(kRanks);
  std::vector<std::vector<float>> x(kRanks), out(kRanks, std::vector<float>(kRows * kTotal));
  std::vector<std::vector<int32_t>> ids = {{1, 2}, {30, 40}, {5, 6}};
  for (int rank = 0; rank < kRanks; ++rank) {
    const auto r = static_cast<size_t>(rank);
    const Part part = partOf(kTotal, rank, kRanks);
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t i = 0; i < part.count; ++i) x[r].push_back(static_cast<float>(100 * row + part.first + i));
    }
    ranks.begin(rank, 1);
    ranks.stream(rank).enqueue([&, r, c = ranks.at(rank)](ThreadPool& pool) {
      c->allGather(pool, out[r].data(), x[r].data(), kRows, kTotal);
      c->broadcast(ids[r].data(), 8, 1);
    });
    ranks.end(rank);
  }
  for (int rank = 0; rank < kRanks; ++rank) CHECK(ranks.errorOf(rank).empty());
  for (size_t rank = 0; rank < kRanks; ++rank) {
    CHECK(ids[rank] == (std::vector<int32_t>{30, 40}));
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t i = 0; i < kTotal; ++i) {
        CHECK(out[rank][static_cast<size_t>(row * kTotal + i)] == static_cast<float>(100 * row + i));
      }
    }
  }
}

TEST(plansOfRanksAreReplayed) {
  Ranks ranks(2);
  std::vector<std::vector<float>> x = {{1, 2}, {10, 20}}, out(2, std::vector<float>(2));
  std::vector<std::unique_ptr<Plan>> plans;
  for (int rank = 0; rank < 2; ++rank) {
    const auto r = static_cast<size_t>(rank);
    plans.push_back(std::make_unique<Plan>(ranks.streams[r]));
    ranks.begin(rank, 1);
    plans[r]->begin();
    ranks.reduce(rank, out[r], x[r]);
    plans[r]->end();
    ranks.end(rank);
  }
  for (int64_t pass = 2; pass < 50; ++pass) {
    for (int rank = 1; rank >= 0; --rank) {
      const auto r = static_cast<size_t>(rank);
      ranks.begin(rank, pass);
      ranks.stream(rank).enqueue([&, r, pass](ThreadPool&) { x[r][0] = static_cast<float>(pass); });
      plans[r]->replay(0);
      ranks.end(rank);
    }
  }
  for (int rank = 0; rank < 2; ++rank) CHECK(ranks.errorOf(rank).empty());
  CHECK(out[0] == (std::vector<float>{98, 22}) && out[1] == out[0]);
}

TEST(noRankWaitsForOneThatWasCancelledAndTheNextPassIsWhole) {
  Ranks ranks(3);
  std::vector<float> x(64, 1), out[3] = {x, x, x};
  for (int64_t pass = 1; pass < 60; ++pass) {
    const bool isCancelled = pass % 2 == 1;
    for (int rank = 2; rank >= 0; --rank) {
      ranks.begin(rank, pass);
      const int64_t group = ranks.stream(rank).startGroup();
      for (int i = 0; i < 20; ++i) ranks.reduce(rank, out[rank], x);
      ranks.stream(rank).endGroup();
      if (isCancelled && rank == static_cast<int>(pass % 3)) ranks.stream(rank).cancel(group);
      ranks.end(rank);
    }
    for (int rank = 0; rank < 3; ++rank) {
      const std::string error = ranks.errorOf(rank);
      CHECK_MESSAGE(error.empty() || (isCancelled && has(error, "has left the pass before its end")), error);
      if (!isCancelled) CHECK(out[rank] == std::vector<float>(64, 3));
    }
  }
}

TEST(whatFailsOnOneRankIsToldToAll) {
  Ranks ranks(2);
  std::vector<float> x(8, 1), out[2] = {x, x};
  Plan plan(ranks.streams[1]);
  plan.begin();
  ranks.stream(1).launch([](ThreadPool&) { throw std::bad_alloc(); }, "fails");
  ranks.reduce(1, out[1], x);
  plan.end();
  ranks.stream(1).synchronize();
  ranks.stream(1).takeError();
  // Rank 1 never comes to the sum: a replayed segment ends where something fails.
  ranks.begin(1, 1);
  plan.replay(0);
  ranks.stream(1).enqueue([&](ThreadPool&) {
    const std::string error = ranks.stream(1).takeError();
    ranks.at(1)->endPass(error);
  });
  ranks.begin(0, 1);
  ranks.reduce(0, out[0], x);
  ranks.end(0);
  CHECK(has(ranks.errorOf(0), "rank 1: std::bad_alloc"));
  CHECK(ranks.errorOf(1).empty());
  // Both go on.
  for (int rank = 0; rank < 2; ++rank) {
    ranks.begin(rank, 2);
    ranks.reduce(rank, out[rank], x);
    ranks.end(rank);
  }
  CHECK(ranks.errorOf(0).empty() && ranks.errorOf(1).empty());
  CHECK(out[0] == std::vector<float>(8, 2) && out[1] == out[0]);
}

TEST(ranksThatDoDifferentThingsGetAnErrorEach) {
  Ranks ranks(2);
  std::vector<float> few(4, 1), many(8, 1), out[2] = {many, many};
  ranks.begin(0, 1), ranks.begin(1, 1);
  ranks.reduce(0, out[0], few);
  ranks.reduce(1, out[1], many);
  ranks.end(0), ranks.end(1);
  for (int rank = 0; rank < 2; ++rank) {
    const std::string error = ranks.errorOf(rank);
    CHECK_MESSAGE(has(error, "16 bytes") && has(error, "32 bytes"), error);
  }
  CHECK(out[0] == many);
  ranks.begin(0, 2, 77), ranks.begin(1, 2, 78);
  ranks.reduce(0, out[0], few);
  ranks.reduce(1, out[1], few);
  ranks.end(0), ranks.end(1);
  for (int rank = 0; rank < 2; ++rank) CHECK(has(ranks.errorOf(rank), "checksum 77"));
  CHECK(out[0] == many);
}

TEST(collectivesOutsideOfAPassDoNothing) {
  Ranks ranks(2);
  std::vector<float> x(4, 1), out(4, 9);
  ranks.reduce(0, out, x);
  ranks.end(0);
  CHECK(ranks.errorOf(0).empty());
  CHECK(out == std::vector<float>(4, 9));
}

TEST(aGroupThatClosesLetsWaitingStreamsStop) {
  for (int round = 0; round < 20; ++round) {
    Ranks ranks(2);
    std::vector<float> x(4, 1), out(4);
    std::atomic<bool> waits{false};
    ranks.begin(0, 1);
    ranks.stream(0).enqueue([&](ThreadPool&) { waits = true; });
    ranks.reduce(0, out, x);
    while (!waits) {
    }
    ranks.group->close();
    CHECK(has(ranks.errorOf(0), "do not meet any more"));
    // Also whoever comes later.
    ranks.begin(1, 1);
    ranks.reduce(1, out, x);
    ranks.end(1);
    CHECK(has(ranks.errorOf(1), "do not meet any more"));
  }
}
