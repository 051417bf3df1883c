// Which neighbours of a recorded segment a GPU may do in one kernel, and which it must not.
#include "core/joined_ops.h"

#include <algorithm>

#include "check.h"

using namespace check;
using namespace persimmon;
using cpu::WeightOrder;

namespace {

// Addresses only: nothing is read or written.
struct Memory {
  static constexpr int64_t kRows = 2, kIn = 64, kOut = 32;

  // Room for more rows and wider types than there are.
  static constexpr int64_t kMost = 16;
  alignas(64) uint16_t matrix[2 * kIn * kOut],
      normWeight[kMost * kIn], normBias[kMost * kIn], bias[kMost * kIn];
  alignas(64) float x[kMost * kIn], normed[kMost * kIn], y[kMost * kOut], after[kMost * kOut],
      addend[kMost * kOut];
  alignas(64) float spare[kMost * kIn];

  LayerNormRecord norm() {
    return {normed, x, {normWeight, DType::kBFloat16}, {normBias, DType::kBFloat16}, kRows, kIn, 1e-5f};
  }
  LinearRecord linear() {
    return {y,   normed, {matrix, DType::kBFloat16}, {bias, DType::kBFloat16}, kRows,
            kIn, kOut,   WeightOrder::kTiles};
  }
  AddRecord add() { return {after, addend, y, kRows * kOut}; }
  ReluSquaredRecord square() { return {after, y, kRows * kOut}; }
};

/** First op and number of ops of each group, as "0+3 5+2". */
std::string groups(const std::vector<OpRecord>& records) {
  std::string text;
  for (const JoinedOps& joined : findJoinedOps(records)) {
    if (!text.empty()) text += ' ';
    text += std::to_string(joined.first) + '+' + std::to_string(joined.count);
  }
  return text;
}

/** Whether the four ops still are groups when one of them was changed. */
template <class Change>
std::string groupsWhen(const Change& change) {
  Memory memory;
  LayerNormRecord norm = memory.norm();
  LinearRecord linear = memory.linear();
  AddRecord add = memory.add();
  change(memory, norm, linear, add);
  return groups({norm, linear, add});
}

#define WHEN(...)                                                                         \
  groupsWhen([](Memory& m, LayerNormRecord& norm, LinearRecord& linear, AddRecord& add) { \
    (void)m, (void)norm, (void)linear, (void)add;                                         \
    __VA_ARGS__;                                                                          \
  })

}  // namespace

TEST(joinsAProductWithItsNeighbours) {
  Memory memory;
  const LayerNormRecord norm = memory.norm();
  const LinearRecord linear = memory.linear();
  const AddRecord add = memory.add();
  const ReluSquaredRecord square = memory.square();
  CHECK(groups({norm, linear}) == "0+2");
  CHECK(groups({linear, add}) == "0+2");
  CHECK(groups({linear, square}) == "0+2");
  CHECK(groups({norm, linear, add}) == "0+3");
  CHECK(groups({norm, linear, square}) == "0+3");
  LinearRecord byInput = linear;
  byInput.order = WeightOrder::kInputs;
  CHECK(groups({byInput, add}) == "0+2");
  CHECK(groups({norm, byInput, add}) == "1+2");
  CHECK(groups({{}, norm, linear, {}, norm, linear, square, add, {}}) == "1+2 4+3");
}

TEST(leavesAloneWhatIsNoPattern) {
  Memory memory;
  const LayerNormRecord norm = memory.norm();
  const LinearRecord linear = memory.linear();
  const AddRecord add = memory.add();
  CHECK(groups({}) == "");
  CHECK(groups({norm}) == "");
  CHECK(groups({linear}) == "");
  CHECK(groups({norm, {}, linear, {}, add}) == "");  // an edit, or a tap, in between
  CHECK(groups({norm, linear, {}, add}) == "0+2");
  CHECK(groups({norm, {}, linear, add}) == "2+2");
  CHECK(groups({norm, norm, linear}) == "1+2");
  CHECK(groups({add, linear, linear, add}) == "2+2");
}

TEST(joinsOnlyWhatIsHandedOn) {
  CHECK(WHEN() == "0+3");
  CHECK(WHEN(norm.out = m.spare) == "1+2");
  CHECK(WHEN(linear.x = m.spare) == "1+2");
  CHECK(WHEN(norm.rows = 1) == "1+2");
  CHECK(WHEN(norm.width = 32) == "1+2");
  CHECK(WHEN(add.b = m.spare) == "0+2");
  CHECK(WHEN(std::swap(add.a, add.b)) == "0+3");
  CHECK(WHEN(add.a = m.y) == "0+2");  // twice the result
  CHECK(WHEN(add.count = 32) == "0+2");
  Memory memory;
  ReluSquaredRecord square = memory.square();
  square.x = memory.spare;
  CHECK(groups({memory.linear(), square}) == "");
  square = memory.square();
  --square.count;
  CHECK(groups({memory.linear(), square}) == "");
}

TEST(joinsOnlyWhatKernelsOfFewRowsCanDo) {
  CHECK(WHEN(norm.rows = linear.rows = 0, add.count = 0) == "");
  CHECK(WHEN(norm.rows = linear.rows = 3, add.count = 96) == "1+2");
  CHECK(WHEN(norm.rows = linear.rows = 9, add.count = 288) == "");
  CHECK(WHEN(norm.weight.dtype = norm.bias.dtype = DType::kFloat32) == "0+3");
  CHECK(WHEN(norm.weight.dtype = DType::kFloat32) == "1+2");
  CHECK(WHEN(norm.weight.data = nullptr) == "1+2");
  CHECK(WHEN(norm.bias.data = nullptr) == "1+2");
  CHECK(WHEN(linear.bias.data = nullptr) == "0+3");
  CHECK(WHEN(linear.weight.dtype = DType::kFloat32) == "1+2");
  CHECK(WHEN(linear.weight.data = m.matrix + 1) == "1+2");
  CHECK(WHEN(norm.x = m.x + 1) == "1+2");
  CHECK(WHEN(norm.out = m.normed + 1, linear.x = norm.out) == "1+2");
  CHECK(WHEN(norm.width = linear.inFeatures = 60) == "1+2");
  CHECK(WHEN(linear.weight = {m.matrix, DType::kInt8, m.spare}) == "0+3");
  CHECK(WHEN(linear.weight = {m.matrix, DType::kInt8, m.spare}, norm.width = linear.inFeatures = 56) ==
        "1+2");
  CHECK(WHEN(linear.weight = {m.matrix, DType::kInt4, m.spare}) == "0+3");
  CHECK(WHEN(linear.weight = {m.matrix, DType::kInt4, m.spare + 1}) == "1+2");
  // Two rows of the 8B have room in shared memory, two of a wider model have not; 1 GB is addressed only.
  Memory memory;
  const auto at = [](int64_t gigabytes) {
    return reinterpret_cast<float*>(uintptr_t{1} << 40) + (gigabytes << 28);
  };
  for (const int64_t width : {4096, 4104}) {
    LayerNormRecord norm = memory.norm();
    LinearRecord linear = memory.linear();
    norm.width = linear.inFeatures = width;
    linear.x = norm.out = at(1);
    norm.x = at(2);
    norm.weight.data = at(3);
    norm.bias.data = at(4);
    linear.weight.data = at(5);
    CHECK(groups({norm, linear}) == (width == 4096 ? "0+2" : ""));
  }
}

// Blocks of a kernel run in any order: what one reads none may write.
TEST(doesNotJoinWhatOverlaps) {
  CHECK(WHEN(linear.out = m.x, add.b = m.x) == "1+2");   // over what is normalised
  CHECK(WHEN(norm.out = m.x, linear.x = m.x) == "1+2");  // layerNorm in place
  CHECK(WHEN(norm.out = m.spare, linear.x = m.spare, norm.x = m.spare + 64) == "1+2");
  CHECK(WHEN(linear.out = m.normed, add.b = m.normed) == "");  // over its own input
  CHECK(WHEN(add.out = m.normed) == "0+2");                    // over the product's input
  CHECK(WHEN(add.out = m.x) == "0+2");
  CHECK(WHEN(add.out = m.x + 100) == "0+2");
  CHECK(WHEN(add.out = m.x, add.a = m.x) == "0+2");  // in place, over what others still normalise
  CHECK(WHEN(add.a = m.x) == "0+3");
  CHECK(WHEN(add.a = m.normed) == "0+2");    // reads what one block writes
  CHECK(WHEN(add.out = m.addend) == "0+3");  // in place: a thread reads and writes the same elements
  CHECK(WHEN(add.out = m.addend + 1) == "0+2");
  CHECK(WHEN(add.out = m.y) == "0+3");
  CHECK(WHEN(add.out = m.y + 1) == "0+2");
  CHECK(WHEN(add.a = m.y + 1) == "0+2");
  CHECK(WHEN(add.out = reinterpret_cast<float*>(m.matrix) + 16) == "0+2");
  CHECK(WHEN(add.out = reinterpret_cast<float*>(m.bias)) == "0+2");
  CHECK(WHEN(add.out = reinterpret_cast<float*>(m.normWeight)) == "0+2");
  CHECK(WHEN(add.out = reinterpret_cast<float*>(m.normBias)) == "0+2");
  CHECK(WHEN(linear.weight = {m.matrix, DType::kInt8, m.spare}, add.out = m.spare) == "0+2");
  CHECK(WHEN(linear.weight = {m.matrix, DType::kInt4, m.spare}, add.out = m.spare) == "0+2");
  Memory memory;
  ReluSquaredRecord square = memory.square();
  for (float* out : {memory.y, memory.after}) {
    square.out = out;
    CHECK(groups({memory.linear(), square}) == "0+2");
  }
  for (float* out : {memory.y + 4, memory.normed, memory.normed + 7}) {
    square.out = out;
    CHECK(groups({memory.linear(), square}) == "");
  }
}
