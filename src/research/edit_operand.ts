import { checkOptionNames, PersimmonError, valueText } from "../errors.js";
import type { PersimmonConfig } from "../model/config.js";
import { type Site, siteWidth } from "../runtime/sites.js";
import { activationFor, type EditFilter, type EditSpec, type EditValues } from "./edits.js";

/**
 * The columns that an edit touches, or undefined for all.
 * @param keys columns of one head where the site is a pattern
 * @throws PersimmonError EDIT_INVALID
 */
export function columnsOf(
  config: PersimmonConfig,
  site: Site,
  { heads, units }: EditFilter,
  keys?: number,
): Int32Array | undefined {
  if (heads === undefined && units === undefined) return undefined;
  const width = siteWidth(config, site, keys ?? 0);
  if (heads !== undefined && units !== undefined) {
    throw new PersimmonError("EDIT_INVALID", "an edit takes heads or units, not both");
  }
  if (units !== undefined) return differentIndices(units, width, `units of ${site}`);
  if (!/\.attn\.(q|k|v|qRot|kRot|z|pattern)$/.test(site)) {
    throw new PersimmonError(
      "EDIT_INVALID",
      `${site} has no heads: they are at attn.q, k, v, qRot, kRot, z and pattern`,
    );
  }
  const chosen = differentIndices(heads as readonly number[], config.numAttentionHeads, `heads of ${site}`);
  const each = width / config.numAttentionHeads;
  return Int32Array.from(
    { length: chosen.length * each },
    (_, i) => chosen[Math.floor(i / each)] * each + (i % each),
  );
}

/**
 * The rows of numbers that an edit works with, cut to its columns; undefined where it needs none.
 * @throws PersimmonError EDIT_INVALID, with the index of a number that is not finite
 */
export function operandOf(
  config: PersimmonConfig,
  site: Site,
  spec: EditSpec,
  columns: Int32Array | undefined,
): { data: Float32Array; rows: number; positions: readonly number[] | undefined } | undefined {
  const needsValues = spec.kind === "add" || spec.kind === "replace" || spec.kind === "project";
  if (!needsValues) return undefined;
  const width = siteWidth(config, site, 0);
  const activation = activationFor(spec.values as EditValues, site);
  let data = activation?.data ?? Float32Array.from(spec.values as ArrayLike<number>);
  expectFinite(activation?.data ?? (spec.values as ArrayLike<unknown>), data, site);
  let positions = activation?.positions;
  if (positions !== undefined && spec.takeMean) {
    data = meanOfRows(data, positions.length);
    positions = undefined;
  }
  const rows = positions?.length ?? 1;
  const perRow = data.length / rows;
  const count = columns?.length ?? width;
  if (perRow !== width && perRow !== count) {
    const wanted = count === width ? `${width}` : `${width}, or ${count} for the columns that it touches`;
    throw new PersimmonError(
      "EDIT_INVALID",
      `the values of an edit at ${site} must be ${wanted} numbers${positions ? " a position" : ""}, got ${perRow}`,
    );
  }
  if (columns !== undefined && perRow === width) data = selectColumns(data, rows, width, columns);
  else data = data.slice();
  if (spec.kind === "project") normalise(data, site);
  return { data, rows, positions };
}

/**
 * For each position the row of the operand, −1 where the edit does not apply; what lies beyond takes the last entry.
 * Undefined where the edit applies everywhere.
 */
export function rowOfPosition(
  filter: EditFilter,
  operandPositions: readonly number[] | undefined,
  maxLength: number,
): Int32Array | undefined {
  const { positions } = filter;
  if (positions === undefined && operandPositions === undefined) return undefined;
  const applies = positionTest(positions, maxLength);
  const rowOf = new Int32Array(maxLength + 1).fill(-1);
  if (operandPositions === undefined) {
    for (let position = 0; position < maxLength; position++) if (applies(position)) rowOf[position] = 0;
  } else {
    for (const [row, position] of operandPositions.entries()) if (applies(position)) rowOf[position] = row;
  }
  return rowOf;
}

function positionTest(positions: EditFilter["positions"], maxLength: number): (position: number) => boolean {
  if (positions === undefined) return () => true;
  if (Array.isArray(positions) || ArrayBuffer.isView(positions)) {
    const wanted = new Set(indices(positions as readonly number[], maxLength, "positions"));
    return (position) => wanted.has(position);
  }
  if (typeof positions !== "object" || positions === null) {
    throw new PersimmonError(
      "EDIT_INVALID",
      `positions must be a list such as [3], or a range { from, to }, got ${valueText(positions)}`,
    );
  }
  checkOptionNames("the range of positions", positions, ["from", "to"]);
  const { from = 0, to = Number.POSITIVE_INFINITY } = positions as { from?: number; to?: number };
  const isWhole = Number.isInteger(from) && (Number.isInteger(to) || to === Number.POSITIVE_INFINITY);
  if (!isWhole || from < 0 || to < from) {
    throw new PersimmonError(
      "EDIT_INVALID",
      `positions from ${valueText(from)} to ${valueText(to)} are no range of whole numbers from 0`,
    );
  }
  return (position) => position >= from && position < to;
}

function indices(values: readonly number[], limit: number, what: string): Int32Array {
  const wanted = `${what} must be a list of whole numbers from 0 to ${limit - 1}`;
  if (!Array.isArray(values) && !ArrayBuffer.isView(values)) {
    throw new PersimmonError("EDIT_INVALID", `${wanted}, got ${valueText(values)}`);
  }
  const list = Array.from(values as readonly number[]);
  for (const value of list) {
    if (Number.isInteger(value) && value >= 0 && value < limit) continue;
    throw new PersimmonError("EDIT_INVALID", `${wanted}, got ${valueText(value)}`);
  }
  return Int32Array.from(list);
}

/** `indices`, none of them twice: it would be edited twice on a CPU, and on a GPU by two threads at once. */
function differentIndices(values: readonly number[], limit: number, what: string): Int32Array {
  const list = indices(values, limit, what);
  const seen = new Set<number>();
  for (const value of list) {
    if (seen.has(value)) {
      throw new PersimmonError("EDIT_INVALID", `${what} must differ from one another, got ${value} twice`);
    }
    seen.add(value);
  }
  return list;
}

/** @param given the numbers as they were given, for the message */
function expectFinite(given: ArrayLike<unknown>, numbers: Float32Array, site: Site): void {
  const index = numbers.findIndex((value) => !Number.isFinite(value));
  if (index < 0) return;
  throw new PersimmonError(
    "EDIT_INVALID",
    `the values of an edit at ${site} must be finite numbers (float32), got ${valueText(given[index])} at index ${index}`,
  );
}

function meanOfRows(data: Float32Array, rows: number): Float32Array {
  const width = data.length / rows;
  const mean = new Float64Array(width);
  for (let i = 0; i < data.length; i++) mean[i % width] += data[i] / rows;
  return Float32Array.from(mean);
}

function selectColumns(data: Float32Array, rows: number, width: number, columns: Int32Array): Float32Array {
  const selected = new Float32Array(rows * columns.length);
  for (let row = 0; row < rows; row++) {
    for (const [i, column] of columns.entries())
      selected[row * columns.length + i] = data[row * width + column];
  }
  return selected;
}

function normalise(direction: Float32Array, site: string): void {
  const length = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
  if (!(length > 0) || !Number.isFinite(length)) {
    throw new PersimmonError("EDIT_INVALID", `edits.project at ${site}: the direction has no length`);
  }
  for (const i of direction.keys()) direction[i] /= length;
}
