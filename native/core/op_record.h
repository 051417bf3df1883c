// What a recorded op computes, for those that a GPU can do in one kernel with the op before or after it
// (joined_ops.h). An op without such a record is a closure that nobody can look into.
#pragma once

#include <cstdint>
#include <variant>

#include "../cpu/ops.h"

namespace persimmon {

struct LayerNormRecord {
  float* out;
  const float* x;
  cpu::Weight weight, bias;
  int64_t rows, width;
  float epsilon;
};

// linear, or with `order` kInputs linearByInput.
struct LinearRecord {
  float* out;
  const float* x;
  cpu::Weight weight, bias;
  int64_t rows, inFeatures, outFeatures;
  cpu::WeightOrder order;
};

struct AddRecord {
  float* out;
  const float *a, *b;
  int64_t count;
};

struct ReluSquaredRecord {
  float* out;
  const float* x;
  int64_t count;
};

using OpRecord = std::variant<std::monostate, LayerNormRecord, LinearRecord, AddRecord, ReluSquaredRecord>;

}  // namespace persimmon
