#include "on_gpu.h"

using namespace check;
namespace cpu = persimmon::cpu;
namespace cuda = persimmon::cuda;

// Every kind of edit, at all places or some, with operands by position.
TEST(editsAreThoseOfTheCpu) {
  Random random(61);
  const int64_t rows = 7, width = 300, positionCount = 4, operandRows = 3;
  const std::vector<float> x = random.normals(static_cast<size_t>(rows * width));
  const std::vector<int32_t> positions = {0, 1, 2, 3, 9, 1, 2}, rowOf = {2, -1, 0, 5};
  const std::vector<int32_t> columns = {4, 299, 0, 17, 300, -1};
  const std::vector<float> parameters = {0.75f, 0.9f};
  const OnGpu<float> onX(x), onParameters(parameters);
  const OnGpu<int32_t> onPositions(positions), onRowOf(rowOf), onColumns(columns);
  for (int32_t kind = 0; kind <= 6; ++kind) {
    for (const bool someColumns : {false, true}) {
      for (const bool byPosition : {false, true}) {
        const int64_t columnCount = someColumns ? static_cast<int64_t>(columns.size()) : width;
        const std::vector<float> operand =
            random.normals(static_cast<size_t>(operandRows * columnCount), 0.1f);
        const OnGpu<float> onOperand(operand);
        const bool takesOperand = kind == 1 || kind == 3 || kind == 4;
        cpu::Edit edit{static_cast<cpu::EditKind>(kind),
                       positions.data(),
                       byPosition ? rowOf.data() : nullptr,
                       positionCount,
                       someColumns ? columns.data() : nullptr,
                       columnCount,
                       takesOperand ? operand.data() : nullptr,
                       operandRows,
                       parameters.data(),
                       99};
        std::vector<float> expected(x.size());
        cpu::edit(cpuPool(), expected.data(), x.data(), rows, width, edit);
        edit.positions = onPositions.data();
        if (edit.rowOf != nullptr) edit.rowOf = onRowOf.data();
        if (edit.columns != nullptr) edit.columns = onColumns.data();
        if (edit.operand != nullptr) edit.operand = onOperand.data();
        edit.parameters = onParameters.data();
        const OnGpu<float> out(x.size());
        cuda::edit(gpu(), out.data(), onX.data(), rows, width, edit);
        // A projection sums in double precision in another order; a multiplication and an addition may be
        // fused.
        CHECK_MESSAGE(distance(out.read(), expected) < 3e-7, std::to_string(kind));
      }
    }
  }
}

TEST(positiveAndNonFiniteNumbersAreCounted) {
  Random random(62);
  const int64_t rows = 5, width = 700;
  std::vector<float> x = random.normals(static_cast<size_t>(rows * width));
  x[3] = NAN;
  x[699] = HUGE_VALF;
  x[700] = 0.0f;
  std::vector<int32_t> counts(700, 2), found(1, 10);
  const OnGpu<float> onX(x);
  const OnGpu<int32_t> onCounts(counts), onFound(found);
  cpu::countPositive(counts.data(), x.data(), rows, width);
  cpu::countNonFinite(found.data(), x.data(), rows * width);
  cuda::countPositive(gpu(), onCounts.data(), onX.data(), rows, width);
  cuda::countNonFinite(gpu(), onFound.data(), onX.data(), rows * width);
  CHECK(onCounts.read() == counts);
  CHECK(onFound.read() == found && found[0] == 12);
}
