import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectFloat32, expectTensor } from "./check.js";
import { rowsAndWidth } from "./rows.js";

/** The kinds of edits as native/cpu/ops.h numbers them. */
export const editKinds = { set: 0, add: 1, scale: 2, replace: 3, project: 4, clamp: 5, noise: 6 } as const;

export type EditKind = keyof typeof editKinds;

/** Where an edit applies and with what; see `Edit` in native/cpu/ops.h. */
export interface EditArguments {
  kind: EditKind;
  /** [rows] int32: position of each row */
  positions: Tensor;
  /** [positions] int32: row of the operand for each position, −1 where the edit does not apply; undefined: row 0 everywhere */
  rowOf?: Tensor;
  /** int32; undefined: all columns */
  columns?: Tensor;
  /** [rows, columns] */
  operand?: Tensor;
  /** [2]: strength and limit, read when the op runs */
  parameters: Tensor;
  seed: number;
}

/** A copy of x, seen as rows of everything behind its first axis, with an edit applied. */
export function edit(
  x: Tensor,
  { kind, positions, rowOf, columns, operand, parameters, seed }: EditArguments,
): Tensor {
  expectFloat32("edit", "x", x);
  const [rows] = x.shape;
  expectTensor("edit", "positions", positions, [rows], ["int32"]);
  expectTensor("edit", "parameters", parameters, [2]);
  const width = rows === 0 ? 0 : x.size / rows;
  const out = Tensor.empty(x.device, x.shape);
  native().edit(
    x.device.stream,
    out.buffer,
    x.buffer,
    rows,
    width,
    editKinds[kind],
    positions.buffer,
    rowOf?.buffer ?? null,
    rowOf?.size ?? 0,
    operand?.shape[0] ?? 0,
    columns?.buffer ?? null,
    columns?.size ?? width,
    operand?.buffer ?? null,
    parameters.buffer,
    seed,
  );
  return out;
}

/** Adds to `counts` [width] int32 the rows of x [rows, width] that are above 0 in each column. Changes `counts` in place. */
export function countPositive(counts: Tensor, x: Tensor): void {
  expectFloat32("countPositive", "x", x);
  const [rows, width] = rowsAndWidth(x);
  expectTensor("countPositive", "counts", counts, [width], ["int32"]);
  native().countPositive(x.device.stream, counts.buffer, x.buffer, rows, width);
}

/** Adds to `found` [1] int32 the number of elements of x that are NaN or infinite. Changes `found` in place. */
export function countNonFinite(found: Tensor, x: Tensor): void {
  expectFloat32("countNonFinite", "x", x);
  expectTensor("countNonFinite", "found", found, [1], ["int32"]);
  native().countNonFinite(x.device.stream, found.buffer, x.buffer, x.size);
}
