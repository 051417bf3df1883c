import { inspect, types } from "node:util";

const MAX_CHARACTERS = 40_000;
const MAX_KEYS = 200;
const MAX_ITEMS = 100;
const MAX_DEPTH = 4;
// util.inspect limits each array, but not all of them together: a million numbers in nested arrays take it seconds.
const MAX_PARTS = 20_000;

/** A value as plain text, abbreviated: depth 4, 100 items, 200 keys, strings of 10,000, 40,000 characters in all. */
export function textOf(value: unknown): string {
  const text = inspected(value, { maxStringLength: 10_000 });
  if (text.length <= MAX_CHARACTERS) return text;
  return `${text.slice(0, MAX_CHARACTERS)}\n… ${text.length - MAX_CHARACTERS} more characters`;
}

/** A value as one line, for a cell of a table. */
export function lineOf(value: object): string {
  return inspected(value, { maxStringLength: 200, breakLength: Number.POSITIVE_INFINITY, compact: true });
}

function inspected(
  value: unknown,
  options: { maxStringLength: number; breakLength?: number; compact?: boolean },
): string {
  try {
    const shown = abridged(value);
    let depth = MAX_DEPTH;
    while (depth > 0 && partsOf(shown, depth, 0) > MAX_PARTS) depth--;
    return inspect(shown, { ...options, depth, maxArrayLength: MAX_ITEMS, colors: false });
  } catch (error) {
    return `[${typeof value} that cannot be shown: ${messageOf(error)}]`;
  }
}

function messageOf(error: unknown): string {
  try {
    return String((error as Error).message);
  } catch {
    return "its inspection fails";
  }
}

/** util.inspect limits items of arrays, but not keys of objects. */
function abridged(value: unknown): unknown {
  if (!isKeyed(value)) return value;
  const keys = Object.keys(value);
  if (keys.length <= MAX_KEYS) return value;
  const shown = Object.create(Object.getPrototypeOf(value)) as object;
  for (const key of keys.slice(0, MAX_KEYS)) {
    Object.defineProperty(shown, key, Object.getOwnPropertyDescriptor(value, key)!);
  }
  return Object.assign(shown, { "…": `${keys.length - MAX_KEYS} more keys` });
}

/** Whether inspect shows a value by its keys alone, and by no method of its own. */
function isKeyed(value: unknown): value is object {
  if (typeof value !== "object" || value === null || types.isProxy(value)) return false;
  return !(inspect.custom in value) && Object.prototype.toString.call(value) === "[object Object]";
}

/** About how many parts inspect would visit; stops counting above the limit. Runs no getter and no trap of a proxy. */
function partsOf(value: unknown, depth: number, counted: number): number {
  if (typeof value !== "object" || value === null || types.isProxy(value) || ArrayBuffer.isView(value)) {
    return counted + 1;
  }
  let count = counted + 1;
  if (depth < 0) return count;
  for (const part of partsIn(value)) {
    count = partsOf(part, depth - 1, count);
    if (count > MAX_PARTS) break;
  }
  return count;
}

function* partsIn(value: object): Generator<unknown> {
  if (types.isMap(value) || types.isSet(value)) {
    let items = 0;
    for (const item of types.isMap(value)
      ? Map.prototype.values.call(value)
      : Set.prototype.values.call(value)) {
      if (items++ >= MAX_ITEMS) return;
      yield item;
    }
    return;
  }
  const keys = Array.isArray(value) ? Array(Math.min(value.length, MAX_ITEMS)).keys() : Object.keys(value);
  for (const key of keys) yield Object.getOwnPropertyDescriptor(value, key)?.value;
}
