// Products with their neighbours in one kernel: to the bit what the ops alone write, all of it.
#include "core/joined_ops.h"
#include "matrix_case.h"

using namespace check;
using namespace persimmon;

namespace {

enum class Next { kNothing, kAdd, kReluSquared };

struct Case {
  int64_t rows, in, out;
  DType dtype;
  bool byInput = false, norm = false;
  Next next = Next::kAdd;
  /** Of the sum or the squared ReLU. */
  enum class Target { kOwn, kResult, kAddend } target = Target::kOwn;
  bool misaligned = false, withBias = true;
  int percentZeros = 0;
};

std::string textOf(const Case& at) {
  return std::to_string(at.rows) + "x" + std::to_string(at.in) + "x" + std::to_string(at.out) + " type " +
         std::to_string(static_cast<int>(at.dtype)) + (at.byInput ? " by input" : "") +
         (at.norm ? " normed" : "") +
         (at.next == Next::kAdd           ? " add"
          : at.next == Next::kReluSquared ? " square"
                                          : "") +
         (at.misaligned ? " misaligned" : "");
}

/** What the ops of a case write. */
struct Results {
  OnGpu<float> normed, y, after, addend;
  Results(const Case& at, const std::vector<float>& addends)
      : normed(static_cast<size_t>(at.rows * at.in)),
        y(addends.size()),
        after(addends.size()),
        addend(addends) {}

  float* target(const Case& at) const {
    return at.target == Case::Target::kOwn      ? after.data()
           : at.target == Case::Target::kResult ? y.data()
                                                : addend.data();
  }
  std::vector<std::vector<float>> read() const {
    return {normed.read(), y.read(), after.read(), addend.read()};
  }
};

class JoinedCase {
 public:
  explicit JoinedCase(const Case& at)
      : at_(at),
        random_(static_cast<uint64_t>(at.rows * 1000003 + at.in * 1009 + at.out)),
        x_(zeros(random_.normals(static_cast<size_t>(at.rows * at.in)))),
        addend_(random_.normals(static_cast<size_t>(at.rows * at.out))),
        matrix_(random_, at.dtype, order(), at.out, at.in, at.misaligned),
        bias_(random_, static_cast<size_t>(at.out), at.rows % 2 ? DType::kBFloat16 : DType::kFloat32),
        normWeight_(random_, static_cast<size_t>(at.in), normType(), 0.2f, 1),
        normBias_(random_, static_cast<size_t>(at.in), normType(), 0.5f),
        input_(x_) {}

  std::vector<OpRecord> records(const Results& to) const {
    std::vector<OpRecord> records;
    const float* x = input_.data();
    if (at_.norm) {
      records.push_back(LayerNormRecord{to.normed.data(), x, normWeight_.weight(), normBias_.weight(),
                                        at_.rows, at_.in, 1e-5f});
      x = to.normed.data();
    }
    records.push_back(LinearRecord{to.y.data(), x, matrix_.weight(), at_.withBias ? bias_.weight() : kNone,
                                   at_.rows, at_.in, at_.out, order()});
    if (at_.next == Next::kAdd)
      records.push_back(AddRecord{to.target(at_), to.addend.data(), to.y.data(), at_.rows * at_.out});
    if (at_.next == Next::kReluSquared)
      records.push_back(ReluSquaredRecord{to.target(at_), to.y.data(), at_.rows * at_.out});
    return records;
  }

  /** The ops one by one, as they are done when nothing is joined. */
  void separately(const Results& to) const {
    for (const OpRecord& record : records(to)) {
      if (const auto* norm = std::get_if<LayerNormRecord>(&record)) {
        cuda::layerNorm(gpu(), norm->out, norm->x, norm->weight, norm->bias, norm->rows, norm->width,
                        norm->epsilon);
      } else if (const auto* op = std::get_if<LinearRecord>(&record)) {
        (at_.byInput ? cuda::linearByInput : cuda::linear)(gpu(), op->out, op->x, op->weight, op->bias,
                                                           op->rows, op->inFeatures, op->outFeatures);
      } else if (const auto* add = std::get_if<AddRecord>(&record)) {
        cuda::add(gpu(), add->out, add->a, add->b, add->count);
      } else if (const auto* square = std::get_if<ReluSquaredRecord>(&record)) {
        cuda::reluSquared(gpu(), square->out, square->x, square->count);
      }
    }
  }

  /** The last op's result by the CPU, with float32 weights of the same values. */
  std::vector<float> onCpu() const {
    std::vector<float> x = x_, y(addend_.size()), result(y.size());
    if (at_.norm)
      cpu::layerNorm(cpuPool(), x.data(), x_.data(), normWeight_.onHost(), normBias_.onHost(), at_.rows,
                     at_.in, 1e-5f);
    (at_.byInput ? cpu::linearByInput : cpu::linear)(cpuPool(), y.data(), x.data(), matrix_.onHost(),
                                                     at_.withBias ? bias_.onHost() : kNone, at_.rows, at_.in,
                                                     at_.out);
    const auto count = static_cast<int64_t>(y.size());
    if (at_.next == Next::kNothing) return y;
    if (at_.next == Next::kAdd) cpu::add(cpuPool(), result.data(), addend_.data(), y.data(), count);
    if (at_.next == Next::kReluSquared) cpu::reluSquared(cpuPool(), result.data(), y.data(), count);
    return result;
  }

  void check() const {
    const std::string text = textOf(at_);
    const Results apart(at_, addend_), joined(at_, addend_), again(at_, addend_);
    const auto trafficBefore = weightTrafficOfGpu();
    separately(apart);
    const auto trafficBetween = weightTrafficOfGpu();
    const std::vector<JoinedOps> groups = findJoinedOps(records(joined));
    CHECK_MESSAGE(groups.size() == 1 && groups[0].first == 0 && groups[0].count == records(joined).size(),
                  text);
    if (groups.size() != 1) return;
    gpu().launch(groups[0]);
    const auto trafficAfter = weightTrafficOfGpu();
    CHECK_MESSAGE(
        trafficAfter.first - trafficBetween.first == trafficBetween.first - trafficBefore.first &&
            trafficAfter.second - trafficBetween.second == trafficBetween.second - trafficBefore.second,
        text + " counts other bytes");
    gpu().launch(findJoinedOps(records(again))[0]);
    const auto expected = apart.read(), found = joined.read(), second = again.read();
    const char* names[] = {"the normed rows", "the product", "what is after it", "the addend"};
    for (size_t i = 0; i < expected.size(); ++i) {
      CHECK_MESSAGE(sameBits(found[i], expected[i]), text + ": " + names[i]);
      CHECK_MESSAGE(sameBits(second[i], found[i]), text + ", the second time: " + names[i]);
    }
    const std::vector<float>& last = at_.next == Next::kNothing
                                         ? found[1]
                                         : found[at_.target == Case::Target::kOwn      ? 2
                                                 : at_.target == Case::Target::kResult ? 1
                                                                                       : 3];
    const std::vector<float> fromCpu = onCpu();
    const double off = distance(last, fromCpu);
    CHECK_MESSAGE(off < 1e-5 * std::sqrt(static_cast<double>(at_.in)),
                  text + " is off by " + std::to_string(off));
  }

  /** Kernels that the joined ops take. */
  size_t kernels() const {
    const Results to(at_, addend_);
    separately(to);  // so that working memory is there
    gpu().synchronize();
    gpu().beginCapture();
    gpu().launch(findJoinedOps(records(to)).at(0));
    return gpu().endCapture()->nodes();
  }

 private:
  cpu::WeightOrder order() const {
    const bool tiles = at_.dtype == DType::kInt8 || at_.dtype == DType::kInt4;
    return at_.byInput ? WeightOrder::kInputs : tiles ? WeightOrder::kTiles : WeightOrder::kRows;
  }
  DType normType() const { return at_.out % 2 ? DType::kFloat32 : DType::kBFloat16; }
  std::vector<float> zeros(std::vector<float> x) {
    for (float& value : x) {
      if (random_.below(100) < at_.percentZeros) value = random_.below(2) ? 0.0f : -0.0f;
    }
    return x;
  }

  Case at_;
  Random random_;
  std::vector<float> x_, addend_;
  MatrixOnGpu matrix_;
  BiasOnGpu bias_;
  WeightOnGpu normWeight_, normBias_;
  OnGpu<float> input_;
};

void checkJoined(Case at) {
  if (at.dtype == DType::kInt4) at.in = (at.in + 31) / 32 * 32;
  JoinedCase(at).check();
}

constexpr DType kTypes[] = {DType::kFloat32, DType::kBFloat16, DType::kInt8, DType::kInt4};
constexpr DType kNormedTypes[] = {DType::kBFloat16, DType::kInt8, DType::kInt4};
constexpr Next kNexts[] = {Next::kAdd, Next::kReluSquared};

}  // namespace

TEST(joinedAfterLinear) {
  Random random(1);
  for (const DType dtype : kTypes) {
    for (const Next next : kNexts) {
      for (const int64_t rows : {1, 2, 3, 8}) {
        checkJoined({rows, 256, 40, dtype, false, false, next});  // of the demo model, cut down
        checkJoined({rows, 1 + random.below(200), 1 + random.below(30), dtype, false, false, next});
      }
      checkJoined({1, 4096, 19, dtype, false, false, next});  // of the 8B, cut down
      checkJoined({2, 64, 21, dtype, false, false, next, Case::Target::kOwn, true, false});
      checkJoined({2, 64, 21, dtype, false, false, next, Case::Target::kResult});
    }
    checkJoined({3, 64, 21, dtype, false, false, Next::kAdd, Case::Target::kAddend});
  }
}

TEST(joinedAfterLinearByInput) {
  Random random(2);
  for (const DType dtype : kTypes) {
    for (const int64_t rows : {1, 2, 3, 8}) {
      checkJoined({rows, 1024, 64, dtype, true, false, Next::kAdd, Case::Target::kOwn, false, true, 90});
      checkJoined({rows, 1 + random.below(600), 1 + random.below(80), dtype, true, false,
                   rows % 2 ? Next::kAdd : Next::kReluSquared, Case::Target::kOwn, false, rows < 3, 50});
    }
    checkJoined(
        {1, 4096, 512, dtype, true, false, Next::kAdd, Case::Target::kAddend, false, true, 90});  // of the 8B
    checkJoined({2, 320, 1100, dtype, true, false, Next::kAdd, Case::Target::kResult, false, true, 90});
    checkJoined({1, 512, 64, dtype, true, false, Next::kAdd, Case::Target::kOwn, false, true, 100});
  }
}

TEST(joinedAfterLinearByInputOfMoreStripesThanAreCounted) {
  checkJoined({1, 3, 32 * 8192 + 5, DType::kBFloat16, true, false, Next::kAdd});
}

TEST(joinedAfterLayerNorm) {
  Random random(3);
  for (const DType dtype : kNormedTypes) {
    for (const int64_t rows : {1, 2}) {
      for (const Next next : {Next::kNothing, Next::kAdd, Next::kReluSquared}) {
        checkJoined({rows, 256, 40, dtype, false, true, next});
        checkJoined({rows, 32 * (1 + random.below(20)), 1 + random.below(30), dtype, false, true, next});
      }
      checkJoined({rows, 4096, 19, dtype, false, true, Next::kReluSquared});
      // All warps have a part in every round, and must not write it before the last one is added up.
      checkJoined({rows, 512, 300, dtype, false, true, Next::kAdd});
      checkJoined({rows, 64, 1021, dtype, false, true, Next::kAdd});  // several rounds for each block
      checkJoined({rows, 96, 35, dtype, false, true, Next::kAdd, Case::Target::kAddend});
      checkJoined({rows, 96, 36, dtype, false, true, Next::kAdd, Case::Target::kResult, false, false});
    }
    checkJoined({1, 8192, 18, dtype, false, true, Next::kNothing});
  }
  checkJoined({1, 8, 5, DType::kBFloat16, false, true, Next::kNothing});
  checkJoined({2, 1032, 12, DType::kBFloat16, false, true, Next::kNothing});
}

TEST(joinedKeepsInfinitiesInTheirRows) {
  for (const DType dtype : kNormedTypes) {
    Random random(4);
    const int64_t in = 96, out = 19;
    const MatrixOnGpu matrix(random, dtype,
                             dtype == DType::kBFloat16 ? WeightOrder::kRows : WeightOrder::kTiles, out, in);
    const WeightOnGpu weight(random, in, DType::kFloat32), bias(random, in, DType::kFloat32);
    std::vector<float> x = random.normals(2 * in);
    x[in + 5] = HUGE_VALF;
    const OnGpu<float> input(x), normed(2 * in), y(2 * out);
    const auto groups = findJoinedOps(
        {LayerNormRecord{normed.data(), input.data(), weight.weight(), bias.weight(), 2, in, 1e-5f},
         LinearRecord{y.data(), normed.data(), matrix.weight(), kNone, 2, in, out,
                      cpu::WeightOrder::kTiles}});
    gpu().launch(groups.at(0));
    const std::vector<float> found = y.read();
    for (size_t i = 0; i < found.size(); ++i) CHECK(std::isfinite(found[i]) == (i < out));
  }
}

TEST(joinedOpsAreOneKernel) {
  for (const DType dtype : kNormedTypes) {
    CHECK(JoinedCase({1, 64, 40, dtype, false, true, Next::kReluSquared}).kernels() == 1);
    CHECK(JoinedCase({2, 64, 40, dtype, false, false, Next::kAdd}).kernels() == 1);
    CHECK(JoinedCase({1, 2048, 64, dtype, true, false, Next::kAdd}).kernels() == 1);
  }
}
