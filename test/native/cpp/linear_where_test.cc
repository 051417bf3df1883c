#include <cstring>

#include "check.h"

using namespace check;
using persimmon::cpu::linear;
using persimmon::cpu::linearWhere;

namespace {

/** Some numbers above and below zero, zeros of either sign and NaN; about `percent` of a hundred are shut. */
std::vector<float> randomGate(Random& random, int64_t count, int percent) {
  std::vector<float> gate(static_cast<size_t>(count));
  for (float& value : gate) {
    const bool shut = random.below(100) < percent;
    const int64_t kind = random.below(4);
    if (shut) {
      value = kind == 0 ? 0.0f : kind == 1 ? -0.0f : kind == 2 ? -HUGE_VALF : -1e-40f;
    } else {
      value = kind == 0 ? std::nanf("") : kind == 1 ? HUGE_VALF : kind == 2 ? 1e-40f : 3.0f;
    }
  }
  return gate;
}

bool isOpen(float gate) { return gate > 0 || std::isnan(gate); }

void checkShape(int64_t rows, int64_t in, int64_t out, DType dtype, bool withBias, int percent) {
  Random random(static_cast<uint64_t>(rows * 1000003 + in * 1009 + out + percent));
  const StoredWeight weight(random, static_cast<size_t>(in * out), dtype);
  const StoredWeight stored(random, static_cast<size_t>(out), dtype);
  const Weight bias = withBias ? stored.weight() : Weight{nullptr, DType::kFloat32};
  const std::vector<float> x = random.normals(static_cast<size_t>(rows * in));
  const std::vector<float> gate = randomGate(random, rows * out, percent);
  const std::string shape = std::to_string(rows) + "x" + std::to_string(in) + "x" + std::to_string(out);
  const auto count = static_cast<size_t>(rows * out);
  forEachPool([&](ThreadPool& pool) {
    std::vector<float> whole(count), found(count, -77.0f);
    linear(pool, whole.data(), x.data(), weight.weight(), bias, rows, in, out);
    linearWhere(pool, found.data(), x.data(), weight.weight(), bias, gate.data(), rows, in, out);
    // AMX adds in another order in linear, never here.
    const bool amx = std::strcmp(persimmon::cpu::instructionSet(), "avx512-amx") == 0;
    for (size_t i = 0; i < count; ++i) {
      const float wanted = isOpen(gate[i]) ? whole[i] : 0.0f;
      const bool right = amx ? std::abs(found[i] - wanted) < 1e-3f : found[i] == wanted;
      CHECK_MESSAGE(right, shape + " at " + std::to_string(i));
    }
    // A row alone has the bits that it has among the others.
    for (int64_t r = 0; r < rows; r += 5) {
      std::vector<float> alone(static_cast<size_t>(out), -77.0f);
      linearWhere(pool, alone.data(), x.data() + r * in, weight.weight(), bias, gate.data() + r * out, 1, in,
                  out);
      CHECK_MESSAGE(std::memcmp(alone.data(), found.data() + r * out, alone.size() * sizeof(float)) == 0,
                    shape + " row alone");
    }
  });
}

}  // namespace

TEST(linearWhereIsLinearWhereTheGateIsOpenOverOddShapes) {
  Random random(3);
  const int64_t sizes[] = {1, 3, 16, 17, 64, 80, 100, 130};
  const int percents[] = {0, 50, 90, 100};
  for (int i = 0; i < (sanitized() ? 12 : 40); ++i) {
    checkShape(1 + random.below(12), sizes[random.below(8)], sizes[random.below(8)],
               i % 2 ? DType::kBFloat16 : DType::kFloat32, i % 3 != 0, percents[i % 4]);
  }
}

TEST(linearWhereIsLinearInSeveralPieces) {
  checkShape(1, 1030, 1500, DType::kBFloat16, true, 30);
  if (sanitized()) return;
  checkShape(8, 520, 3000, DType::kFloat32, true, 50);
  checkShape(9, 520, 3000, DType::kBFloat16, false, 90);
}

TEST(linearWhereDoesNotReadTheRowsThatAreShut) {
  Random random(2);
  const int64_t in = 70, out = 300;
  for (int64_t rows : {1, 8}) {
    // Every row of x has the same gate.
    const std::vector<float> one = randomGate(random, out, 90),
                             x = random.normals(static_cast<size_t>(rows * in));
    std::vector<float> gate, weight = random.normals(static_cast<size_t>(in * out)), finite = weight;
    for (int64_t r = 0; r < rows; ++r) gate.insert(gate.end(), one.begin(), one.end());
    for (int64_t o = 0; o < out; ++o) {
      if (!isOpen(one[static_cast<size_t>(o)])) std::fill_n(weight.begin() + o * in, in, std::nanf(""));
    }
    forEachPool([&](ThreadPool& pool) {
      std::vector<float> y(static_cast<size_t>(rows * out)), wanted(y.size());
      linearWhere(pool, y.data(), x.data(), {weight.data(), DType::kFloat32}, {nullptr, DType::kFloat32},
                  gate.data(), rows, in, out);
      linearWhere(pool, wanted.data(), x.data(), {finite.data(), DType::kFloat32}, {nullptr, DType::kFloat32},
                  gate.data(), rows, in, out);
      CHECK(sameBits(y, wanted));
    });
  }
}

TEST(linearWhereCountsWhatItReads) {
  ThreadPool pool(1);
  const int64_t in = 64, out = 5;
  const std::vector<float> x(in, 1.0f), weight(in * out, 1.0f), gate = {1, 0, -1, 2, 0};
  std::vector<float> y(out);
  linearWhere(pool, y.data(), x.data(), {weight.data(), DType::kFloat32}, {nullptr, DType::kFloat32},
              gate.data(), 1, in, out);
  CHECK(pool.weightTraffic().read == 2 * in * 4);
  CHECK(pool.weightTraffic().skipped == 3 * in * 4);
}
