// Neighbours in a recorded segment that a GPU does in one kernel. At one token each kernel costs about a
// microsecond beside what it reads, so a product takes along the layerNorm before it and the sum or the
// squared ReLU after it:
//
//   layerNorm -> linear,   linear | linearByInput -> add | reluSquared,   layerNorm -> linear -> add |
//   reluSquared
//
// The kernel writes all that the ops would have written, to the bit, so whoever reads a value in the middle
// finds it. Anything between two ops of a pattern, such as an edit, keeps them apart: they are no neighbours
// then.
#pragma once

#include <cstddef>
#include <optional>
#include <variant>
#include <vector>

#include "op_record.h"

namespace persimmon {

// Rows up to which a product is a kernel that can take its neighbours along.
constexpr int64_t kMostJoinedRows = 8;
// And with a layerNorm before it. Each block normalises all rows for itself, in shared memory: of the 8B two
// rows take 32 KiB. Every row costs as much time again before the first product, and a launch is all that is
// saved.
constexpr int64_t kMostNormalizedRows = 2;
constexpr int64_t kMostNormalizedBytes = int64_t{32} << 10;

// Ops first .. first + count - 1 of a segment: a product and its neighbours.
struct JoinedOps {
  size_t first, count;
  std::optional<LayerNormRecord> norm;
  LinearRecord linear;
  // The sum is of linear's result and `addend`.
  struct Sum {
    float* out;
    const float* addend;
  };
  struct ReluSquared {
    float* out;
  };
  std::variant<std::monostate, Sum, ReluSquared> after;
};

// The groups of a segment, in order. Ops whose memory overlaps in a way that only separate kernels can bear,
// since the blocks of one run in any order, are left alone.
std::vector<JoinedOps> findJoinedOps(const std::vector<OpRecord>& records);

}  // namespace persimmon
