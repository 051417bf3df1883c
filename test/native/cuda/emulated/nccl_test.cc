// Ranks on emulated GPUs, connected by an emulated NCCL (cuda_emulator/nccl): what they sum, gather and hand
// on, at once and in graphs, and that no rank waits for one that was cancelled, has failed, or is stuck.
#include <cuda_runtime.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "check.h"
#include "core/plan.h"
#include "cuda/nccl_communicator.h"
#include "cuda/queue.h"
#include "cuda/runtime.cuh"

namespace {

using check::Random;
using persimmon::Communicator;
using persimmon::Part;
using persimmon::partOf;
using persimmon::Plan;
using persimmon::Stream;
using persimmon::ThreadPool;
namespace cuda = persimmon::cuda;

/** Sets a variable of the emulated NCCL for a while. */
class Setting {
 public:
  Setting(const char* name, const std::string& value) : name_(name) { setenv(name, value.c_str(), 1); }
  ~Setting() { unsetenv(name_); }

 private:
  const char* name_;
};

/** Ranks with a stream and a GPU each. */
struct GpuRanks {
  explicit GpuRanks(int count, double timeoutSeconds = 100) {
    setenv("PERSIMMON_CUDA_EMULATOR_DEVICES", "4", 1);
    setenv("PERSIMMON_NCCL", FAKE_NCCL, 1);
    std::string why;
    for (int rank = 0; rank < count; ++rank)
      streams.push_back(std::make_shared<Stream>(1, cuda::Queue::create(rank, why)));
    ranks = cuda::connectByNccl(streams, timeoutSeconds, why);
    CHECK_MESSAGE(ranks.meetings != nullptr, why);
  }
  ~GpuRanks() { ranks.meetings->close(); }

  int count() const { return static_cast<int>(streams.size()); }
  Communicator* at(int rank) { return ranks.communicators[static_cast<size_t>(rank)].get(); }
  Stream& stream(int rank) { return *streams[static_cast<size_t>(rank)]; }

  void begin(int rank, int64_t pass) {
    stream(rank).enqueue([=, c = at(rank)](ThreadPool&) { c->beginPass(pass, 0); });
  }
  /** As the addon does it: who reads is told what went wrong. */
  void end(int rank) {
    stream(rank).enqueue([c = at(rank), own = &stream(rank)](ThreadPool&) {
      const std::string error = own->takeError();
      try {
        c->endPass(error);
      } catch (const std::exception&) {
        if (error.empty()) throw;
      }
      if (!error.empty()) throw std::runtime_error(error);
    });
  }
  /** Memory of a rank's GPU. */
  float* floats(int rank, const std::vector<float>& values) {
    Stream& own = stream(rank);
    const size_t bytes = values.size() * sizeof(float);
    memory.push_back(own.allocate(bytes));
    auto* data = reinterpret_cast<float*>(memory.back().data());
    own.enqueue([=, gpu = own.gpu()](ThreadPool&) { gpu->copyIn(data, values.data(), bytes); });
    return data;
  }
  std::vector<float> read(int rank, const float* data, size_t count) {
    std::vector<float> values(count);
    Stream& own = stream(rank);
    own.enqueue(
        [&, gpu = own.gpu()](ThreadPool&) { gpu->copyOut(values.data(), data, count * sizeof(float)); });
    own.synchronize();
    return values;
  }
  void reduce(int rank, float* out, const float* x, int64_t count) {
    // The communicator lives as long as the plans that hold this.
    stream(rank).launch([=, c = ranks.communicators[static_cast<size_t>(rank)]](
                            ThreadPool& pool) { c->allReduce(pool, out, x, count); },
                        "allReduce");
  }
  std::string errorOf(int rank) {
    stream(rank).synchronize();
    return stream(rank).takeError();
  }
  cuda::QueueCounts counts(int rank) {
    cuda::QueueCounts found;
    stream(rank).enqueue([&, gpu = stream(rank).gpu()](ThreadPool&) { found = gpu->counts(); });
    stream(rank).synchronize();
    return found;
  }

  std::vector<std::shared_ptr<Stream>> streams;
  cuda::NcclRanks ranks;
  std::vector<persimmon::MappedMemory> memory;
};

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

/** An all-reduce of each rank in a plan of its own, which has run once, and what it sums. */
struct Recorded {
  explicit Recorded(GpuRanks& on) : ranks(on) {
    for (int rank = 0; rank < ranks.count(); ++rank) {
      x.push_back(ranks.floats(rank, {1.0f * static_cast<float>(rank + 1), 10}));
      out.push_back(ranks.floats(rank, {0, 0}));
      plans.push_back(std::make_unique<Plan>(ranks.streams[static_cast<size_t>(rank)]));
      ranks.begin(rank, 1);
      plans.back()->begin();
      record(rank);
      plans.back()->end();
      ranks.end(rank);
    }
  }
  virtual ~Recorded() = default;
  virtual void record(int rank) {
    const auto r = static_cast<size_t>(rank);
    ranks.reduce(rank, out[r], x[r], 2);
  }
  void replay(int rank, int64_t pass) {
    ranks.begin(rank, pass);
    plans[static_cast<size_t>(rank)]->replay(0);
    ranks.end(rank);
  }
  /** Runs the plans of all ranks in a new pass, and says whether all got the sum. */
  bool sums(int64_t pass) {
    std::vector<float> wanted = {0, 10.0f * static_cast<float>(ranks.count())};
    for (int rank = 0; rank < ranks.count(); ++rank) wanted[0] += static_cast<float>(rank + 1);
    for (int rank = 0; rank < ranks.count(); ++rank) {
      const auto r = static_cast<size_t>(rank);
      ranks.stream(rank).enqueue(
          [gpu = ranks.stream(rank).gpu(), data = out[r]](ThreadPool&) { gpu->fill(data, 0xFF, 8); });
      replay(rank, pass);
    }
    bool isRight = true;
    for (int rank = 0; rank < ranks.count(); ++rank) {
      isRight = ranks.read(rank, out[static_cast<size_t>(rank)], 2) == wanted && isRight;
      isRight = ranks.errorOf(rank).empty() && isRight;
    }
    return isRight;
  }

  GpuRanks& ranks;
  std::vector<float*> x, out;
  std::vector<std::unique_ptr<Plan>> plans;
};

}  // namespace

TEST(gpusSumGatherAndBroadcast) {
  for (const int count : {1, 2, 3, 4}) {
    GpuRanks ranks(count);
    Random random(static_cast<uint64_t>(count));
    for (const auto& [rows, total] :
         std::vector<std::pair<int64_t, int64_t>>{{1, 12}, {1, 10}, {5, 12}, {3, 7}}) {
      const std::vector<float> whole = random.normals(static_cast<size_t>(rows * total));
      std::vector<float> sum(7), given;
      std::vector<float*> gathered, summed, handed;
      for (int rank = 0; rank < count; ++rank) {
        const Part part = partOf(total, rank, count);
        std::vector<float> own;
        for (int64_t row = 0; row < rows; ++row) {
          const auto begin = whole.begin() + row * total + part.first;
          own.insert(own.end(), begin, begin + part.count);
        }
        given = random.normals(7);
        for (size_t i = 0; i < 7; ++i) sum[i] += given[i];
        float* x = ranks.floats(rank, own);
        gathered.push_back(ranks.floats(rank, std::vector<float>(whole.size(), -1)));
        summed.push_back(ranks.floats(rank, given));
        handed.push_back(ranks.floats(rank, {static_cast<float>(rank), 5}));
        ranks.begin(rank, 1);
        ranks.stream(rank).enqueue([=, c = ranks.at(rank), g = gathered.back(), s = summed.back(),
                                    h = handed.back()](ThreadPool& pool) {
          c->allGather(pool, g, x, rows, total);
          c->allReduce(pool, s, s, 7);
          c->broadcast(h, 8, count - 1);
        });
        ranks.end(rank);
      }
      for (int rank = 0; rank < count; ++rank) {
        const auto r = static_cast<size_t>(rank);
        CHECK(ranks.read(rank, gathered[r], whole.size()) == whole);
        CHECK(check::distance(ranks.read(rank, summed[r], 7), std::vector<double>(sum.begin(), sum.end())) <
              1e-6);
        CHECK(ranks.read(rank, handed[r], 2) == (std::vector<float>{static_cast<float>(count - 1), 5}));
        CHECK(ranks.errorOf(rank).empty());
      }
    }
  }
}

TEST(collectivesArePartOfGraphs) {
  const std::string log = std::string(FAKE_NCCL) + ".log";
  std::remove(log.c_str());
  const Setting logged("PERSIMMON_FAKE_NCCL_LOG", log);
  GpuRanks ranks(2);
  Recorded recorded(ranks);
  for (int64_t pass = 2; pass < 20; ++pass) CHECK(recorded.sums(pass));
  for (int rank = 0; rank < 2; ++rank) {
    CHECK(ranks.counts(rank).captured == 1 && ranks.counts(rank).launched == 18);
  }
  // Each rank was asked when it was recorded, which runs it, and when it was captured; and never again.
  std::ifstream file(log);
  std::stringstream lines;
  lines << file.rdbuf();
  int atOnce = 0, captured = 0;
  for (std::string line; std::getline(lines, line);) {
    atOnce += has(line, "all-reduce 2 at once");
    captured += has(line, "all-reduce 2 captured");
  }
  CHECK(atOnce == 2 && captured == 2);
}

TEST(noGpuWaitsForARankThatHasLeft) {
  GpuRanks ranks(3);
  Recorded recorded(ranks);
  // In passes that are void: the first replay, which would be captured, and later ones. Only rank 1 comes.
  for (const int64_t pass : {2, 4, 5, 7}) {
    ranks.begin(0, pass), ranks.end(0);
    recorded.replay(1, pass);
    ranks.begin(2, pass), ranks.end(2);
    CHECK(has(ranks.errorOf(1), "has left the pass before its end"));
    ranks.errorOf(0), ranks.errorOf(2);
    CHECK(recorded.sums(pass + 1));
  }
  // Eager ones, too.
  ranks.begin(0, 20), ranks.end(0);
  ranks.begin(1, 20), ranks.reduce(1, recorded.out[1], recorded.x[1], 2), ranks.end(1);
  ranks.begin(2, 20), ranks.end(2);
  CHECK(has(ranks.errorOf(1), "has left the pass before its end"));
  ranks.errorOf(0), ranks.errorOf(2);
  CHECK(recorded.sums(21));
}

TEST(segmentsOfAVoidPassAreNotCapturedIncomplete) {
  GpuRanks ranks(2);
  Recorded recorded(ranks);
  // Rank 0 is told in a collective that the pass is void, and then comes to its plan all the same.
  ranks.begin(1, 2), ranks.end(1);
  ranks.begin(0, 2);
  ranks.reduce(0, recorded.out[0], recorded.x[0], 2);
  recorded.plans[0]->replay(0);
  ranks.end(0);
  CHECK(has(ranks.errorOf(0), "has left the pass"));
  ranks.errorOf(1);
  CHECK(recorded.sums(3));
}

namespace {

/** Rank 1 fails once when its plan is captured, behind the collective. */
struct FailsOnce : Recorded {
  using Recorded::Recorded;
  void add() {
    for (int rank = 0; rank < 2; ++rank) {
      const auto r = static_cast<size_t>(rank);
      ranks.begin(rank, 2);
      plans[r]->begin();
      record(rank);
      ranks.stream(rank).launch(
          [this, rank, n = std::make_shared<int>(0)](ThreadPool&) {
            if (rank == 1 && ++*n == 2) throw std::bad_alloc();
          },
          "fails");
      plans[r]->end();
      ranks.end(rank);
    }
  }
};

}  // namespace

TEST(eitherAllRanksKeepAGraphOrNone) {
  GpuRanks ranks(2);
  FailsOnce recorded(ranks);
  recorded.add();
  const auto second = [&](int64_t pass) {
    for (int rank = 0; rank < 2; ++rank) {
      ranks.begin(rank, pass);
      recorded.plans[static_cast<size_t>(rank)]->replay(1);
      ranks.end(rank);
    }
    return ranks.errorOf(0) + ranks.errorOf(1);
  };
  CHECK(has(second(3), "bad_alloc"));
  for (int64_t pass = 4; pass < 8; ++pass) CHECK_MESSAGE(second(pass).empty(), second(pass + 100));
  CHECK(ranks.read(0, recorded.out[0], 2) == (std::vector<float>{3, 20}));
}

TEST(graphsEndBeforeTheCommunicatorThatTheyHold) {
  // The emulated NCCL waits as NVIDIA's: a graph that were kept for another plan would keep it waiting for
  // ever.
  auto ranks = std::make_unique<GpuRanks>(2);
  auto recorded = std::make_unique<Recorded>(*ranks);
  CHECK(recorded->sums(2));
  ranks->ranks.communicators.clear();
  recorded.reset();
  ranks.reset();
}

TEST(aGroupEndsThoughNobodyWaitsForItsLastWork) {
  GpuRanks ranks(2);
  auto recorded = std::make_unique<Recorded>(ranks);
  CHECK(recorded->sums(2));
  for (int rank = 0; rank < 2; ++rank) recorded->replay(rank, 3);
  for (const auto& stream : ranks.streams) stream->synchronize();
  // GPU 0 comes to the collective and waits in it, then GPU 1 goes through it, and nobody asks for GPU 0 any
  // more.
  cudaEvent_t event = nullptr;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  cudaEventRecord(event, cuda::streamOf(*ranks.stream(0).gpu()));
  CHECK(cudaEventQuery(event) == cudaErrorNotReady);
  CHECK(ranks.read(1, recorded->out[1], 2) == (std::vector<float>{3, 20}));
  ranks.ranks.communicators.clear();
  recorded.reset();
  for (const auto& stream : ranks.streams) stream->synchronize();
  cudaEventDestroy(event);
}

TEST(whatNcclRefusesEndsAllRanksAndIsSaid) {
  GpuRanks ranks(3);
  Recorded recorded(ranks);
  CHECK(recorded.sums(2));
  {
    const Setting refuses("PERSIMMON_FAKE_NCCL_REFUSE", "1");
    for (int rank = 0; rank < 3; ++rank) {
      ranks.begin(rank, 3);
      ranks.reduce(rank, recorded.out[static_cast<size_t>(rank)], recorded.x[static_cast<size_t>(rank)], 2);
      ranks.end(rank);
    }
    CHECK(has(ranks.errorOf(1), "NCCL: an all-reduce failed on rank 1 (unhandled cuda error)"));
    // The GPUs of the others are no longer in the kernel.
    ranks.read(0, recorded.out[0], 2), ranks.read(2, recorded.out[2], 2);
  }
  CHECK(has(ranks.at(0)->over(), "must be loaded anew") && ranks.at(2)->over() == ranks.at(0)->over());
  for (int rank = 0; rank < 3; ++rank) {
    recorded.replay(rank, 4);
    CHECK(has(ranks.errorOf(rank), "NCCL: an all-reduce failed on rank 1"));
  }
}

// Memory calls of a GPU may wait for all, and rank 1 launches late what rank 0 has launched already.
TEST(memoryIsTakenAndGivenBackBetweenCollectives) {
  const Setting waits("PERSIMMON_CUDA_EMULATOR_MEMORY_WAITS", "1"), slow("PERSIMMON_CUDA_EMULATOR_SLOW", "1");
  GpuRanks ranks(2, 2);
  Recorded recorded(ranks);
  for (int64_t pass = 2; pass < 8; ++pass) {
    for (int rank = 0; rank < 2; ++rank) {
      const auto r = static_cast<size_t>(rank);
      ranks.begin(rank, pass);
      if (pass % 2 == 0) {
        recorded.plans[r]->replay(0);  // a graph
      } else {
        ranks.reduce(rank, recorded.out[r], recorded.x[r], 2);
      }
      ranks.stream(rank).enqueue(
          [gpu = ranks.stream(rank).gpu()](ThreadPool&) { gpu->release(gpu->allocate(1000)); });
      ranks.end(rank);
    }
    ranks.memory.push_back(ranks.stream(0).allocate(1000));  // as JavaScript's thread does
    for (int rank = 0; rank < 2; ++rank) {
      CHECK(ranks.read(rank, recorded.out[static_cast<size_t>(rank)], 2) == (std::vector<float>{3, 20}));
      CHECK_MESSAGE(ranks.errorOf(rank).empty(), ranks.at(rank)->over());
    }
  }
}

TEST(aGpuThatIsStuckEndsAllRanksThoughACallForMemoryWaitsForIt) {
  GpuRanks ranks(2, 0.5);
  Recorded recorded(ranks);
  CHECK(recorded.sums(2));
  const Setting stalls("PERSIMMON_FAKE_NCCL_STALL", "1 silent"),
      waits("PERSIMMON_CUDA_EMULATOR_MEMORY_WAITS", "1");
  for (int rank = 0; rank < 2; ++rank) recorded.replay(rank, 3);
  for (const auto& stream : ranks.streams) stream->synchronize();
  ranks.memory.push_back(ranks.stream(0).allocate(1000));
  const std::string over = ranks.at(0)->over();
  CHECK_MESSAGE(has(over, "a call for memory has waited for the GPUs longer than PERSIMMON_NCCL_TIMEOUT"),
                over);
}

TEST(aGpuThatIsStuckEndsAllRanks) {
  for (const bool isSilent : {false, true}) {
    GpuRanks ranks(2, isSilent ? 0.3 : 100);
    Recorded recorded(ranks);
    CHECK(recorded.sums(2));
    {
      const Setting stalls("PERSIMMON_FAKE_NCCL_STALL", isSilent ? "1 silent" : "1");
      for (int rank = 0; rank < 2; ++rank) recorded.replay(rank, 3);
      for (int rank = 0; rank < 2; ++rank) ranks.read(rank, recorded.out[static_cast<size_t>(rank)], 2);
    }
    CHECK(!ranks.at(0)->over().empty());
    const char* why =
        isSilent ? "has waited for others longer than PERSIMMON_NCCL_TIMEOUT" : "remote process exited";
    // Who has read what was never made, and who comes later.
    CHECK_MESSAGE(has(ranks.errorOf(0), why), ranks.errorOf(0));
    recorded.replay(0, 4);
    CHECK_MESSAGE(has(ranks.errorOf(0), why), ranks.errorOf(0));
  }
}
