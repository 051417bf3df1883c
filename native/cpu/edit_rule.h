// What an edit does at one place: for the CPU and, as constexpr functions, for the kernels of a GPU.
#pragma once

#include "core/scramble.h"
#include "cpu/ops.h"

namespace persimmon::cpu {

/** Row of the operand for a row of x, -1 where the edit does not apply. */
constexpr int64_t operandRow(const Edit& edit, int64_t row) {
  if (edit.rowOf == nullptr) return 0;
  const int64_t position = edit.positions[row], last = edit.positionCount - 1;
  const int64_t found = edit.rowOf[position < 0 ? 0 : position > last ? last : position];
  // The rows were written by JavaScript; whatever they say, nothing is read outside of the operand.
  return edit.operand == nullptr || found < edit.operandRows ? found : -1;
}

/** The value in place of x. Of kProject, whose values need the sum over their row, x itself. */
constexpr float edited(const Edit& edit, float x, float operand, int64_t position, int64_t column) {
  const float strength = edit.parameters[0];
  switch (edit.kind) {
    case EditKind::kSet:
      return strength;
    case EditKind::kAdd:
      return x + strength * operand;
    case EditKind::kScale:
      return x * strength;
    case EditKind::kReplace:
      return strength == 1.0f ? operand : x + strength * (operand - x);
    case EditKind::kClamp: {
      // Not std::min and std::max: their references put the numbers into local memory of a GPU. NaN stays
      // NaN.
      const float raised = x < strength ? strength : x, limit = edit.parameters[1];
      return limit < raised ? limit : raised;
    }
    case EditKind::kNoise:
      return x + strength * nearNormal(edit.seed + (static_cast<uint64_t>(position) << 32) +
                                       static_cast<uint64_t>(column));
    case EditKind::kProject:
      return x;
  }
  return x;
}

}  // namespace persimmon::cpu
