// What interventions put into a forward pass: edits, counters and checks.
#include "../core/scramble.h"
#include "op_call.h"
#include "ops.h"

namespace persimmon {

namespace {

// edit(stream, out, x, rows, width, kind, positions | null, rowOf | null, positionCount, operandRows, columns
// | null,
//      columnCount, operand | null, parameters, seed)
void edit(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), width = call.integer(4), kind = call.integer(5);
  const int64_t positionCount = call.integer(8), operandRows = call.integer(9),
                columnCount = call.integer(11);
  const int64_t count = OpCall::product({rows, width});
  float* out = call.floats(1, count);
  const float* x = call.floats(2, count);
  cpu::Edit edit{};
  edit.kind = static_cast<cpu::EditKind>(kind);
  edit.positions = call.optionalIntegers(6, rows);
  edit.rowOf = call.optionalIntegers(7, positionCount);
  edit.positionCount = positionCount;
  edit.columns = call.optionalIntegers(10, columnCount);
  edit.columnCount = columnCount;
  edit.operandRows = operandRows;
  edit.operand = call.optionalFloats(12, OpCall::product({operandRows, columnCount}));
  edit.parameters = call.floats(13, 2);
  edit.seed = scramble(static_cast<uint64_t>(call.integer(14)));
  const bool needsOperand = kind == 1 || kind == 3 || kind == 4;  // kAdd, kReplace, kProject
  call.require(kind <= 6, 5, "there is no such edit");
  call.require(!needsOperand || (edit.operand != nullptr && operandRows > 0), 12,
               "this edit needs an operand");
  call.require(edit.rowOf == nullptr || (edit.positions != nullptr && positionCount > 0), 7,
               "rows by position need positions");
  call.require(edit.columns != nullptr || columnCount <= width, 11, "more columns than the row has");
  if (call.failed() || count == 0) return;
  call.run(cpu::edit, cuda::edit, out, x, rows, width, edit);
}

// countPositive(stream, counts, x, rows, width)
void countPositive(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t rows = call.integer(3), width = call.integer(4);
  int32_t* counts = call.integers(1, width);
  const float* x = call.floats(2, OpCall::product({rows, width}));
  if (call.failed()) return;
  call.run([](ThreadPool&, auto... arguments) { cpu::countPositive(arguments...); }, cuda::countPositive,
           counts, x, rows, width);
}

// countNonFinite(stream, found, x, count)
void countNonFinite(const Napi::CallbackInfo& info) {
  OpCall call(info);
  const int64_t count = call.integer(3);
  int32_t* found = call.integers(1, 1);
  const float* x = call.floats(2, count);
  if (call.failed()) return;
  call.run([](ThreadPool&, auto... arguments) { cpu::countNonFinite(arguments...); }, cuda::countNonFinite,
           found, x, count);
}

}  // namespace

void exportInterventionOps(Napi::Object exports) {
  exportOp<edit>(exports, "edit");
  exportOp<countPositive>(exports, "countPositive");
  exportOp<countNonFinite>(exports, "countNonFinite");
}

}  // namespace persimmon
