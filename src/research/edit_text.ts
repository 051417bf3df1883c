import { sha256Of } from "../sha256.js";
import { activationFor, type EditFilter, type EditSpec, type EditValues } from "./edits.js";

/**
 * What an edit does at a site, in a line by which two edits are told apart: such as `set 0, heads 1 4` or
 * `add 4 × 256 numbers 3f5c0a91be27, positions 2 to 5`. Numbers that are many are named by the first 12 digits of a SHA-256.
 * @param strength that is in force now
 */
export function editText(site: string, spec: EditSpec, filter: EditFilter, strength: number): string {
  const { heads, units, positions } = filter;
  const parts = [
    whatIsDone(site, spec, strength),
    ...(heads === undefined ? [] : [`heads ${listText(heads)}`]),
    ...(units === undefined ? [] : [`units ${listText(units)}`]),
    ...(positions === undefined ? [] : [`positions ${positionsText(positions)}`]),
  ];
  return parts.join(", ");
}

function whatIsDone(
  site: string,
  { kind, values, takeMean, limit, seed }: EditSpec,
  strength: number,
): string {
  if (kind === "clamp") return `clamp ${strength} to ${limit}`;
  if (kind === "noise") return `noise ${strength}, seed ${seed}`;
  if (values === undefined) return `${kind} ${strength}`;
  return `${kind} ${strength} × ${takeMean ? "the mean of " : ""}${valuesText(site, values)}`;
}

function valuesText(site: string, values: EditValues): string {
  const activation = activationFor(values, site);
  const data = activation?.data ?? Float32Array.from(values as ArrayLike<number>);
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const at = activation === undefined ? "" : ` at positions ${listText(activation.positions)}`;
  return `${data.length} numbers ${digest(bytes)}${at}`;
}

function positionsText(positions: NonNullable<EditFilter["positions"]>): string {
  if (Array.isArray(positions) || ArrayBuffer.isView(positions))
    return listText(positions as readonly number[]);
  const { from = 0, to } = positions as { from?: number; to?: number };
  return `from ${from}${to === undefined ? "" : ` to ${to}`}`;
}

function listText(numbers: readonly number[]): string {
  const shown = numbers.slice(0, 8).join(" ");
  return numbers.length <= 8 ? shown : `${shown} … (${numbers.length}, ${digest(numbers.join(" "))})`;
}

function digest(content: string | Uint8Array): string {
  return sha256Of(content).slice(0, 12);
}
