import { inspect } from "node:util";

const MAX_CHARACTERS = 40_000;
const MAX_KEYS = 200;

/** A value as plain text, abbreviated: depth 4, 100 items, 200 keys, strings of 10,000, 40,000 characters in all. */
export function textOf(value: unknown): string {
  let text: string;
  try {
    text = inspect(abridged(value), {
      depth: 4,
      maxArrayLength: 100,
      maxStringLength: 10_000,
      colors: false,
    });
  } catch (error) {
    text = `[${typeof value} that cannot be shown: ${(error as Error)?.message ?? "its inspection fails"}]`;
  }
  if (text.length <= MAX_CHARACTERS) return text;
  return `${text.slice(0, MAX_CHARACTERS)}\n… ${text.length - MAX_CHARACTERS} more characters`;
}

/** util.inspect limits items of arrays, but not keys of objects. */
function abridged(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  const keys = Object.keys(value);
  if (keys.length <= MAX_KEYS) return value;
  const shown = Object.fromEntries(
    keys.slice(0, MAX_KEYS).map((key) => [key, (value as Record<string, unknown>)[key]]),
  );
  shown["…"] = `${keys.length - MAX_KEYS} more keys`;
  return shown;
}
