import { likelyName } from "./nearest_names.js";

/**
 * The error type of the library. `code` is stable and meant for programs; the message is meant for people and says
 * what was expected, what was found and where.
 *
 * What the native addon throws (`OUT_OF_MEMORY`, `DEVICE_MISMATCH`, `OP_FAILED`, `PLAN_RECORDING`, `NATIVE_ARGUMENT`, …) is a
 * plain `Error` with such a `code`: to make it one of these, each call of an op would have to be caught. Programs look at
 * `code`, which both have.
 */
export class PersimmonError extends Error {
  readonly code: string;

  /**
   * @param code stable name in capitals, such as `CHECKPOINT_TRUNCATED`
   * @param message what was expected, what was found, where, and what to do
   */
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "PersimmonError";
    this.code = code;
  }
}

/**
 * Throws `OPTION_UNKNOWN` when `options` has a name that is not among the known ones of `caller`, with the name that was
 * probably meant: what is ignored may widen an edit to everything. Throws `OPTION_INVALID` where `options` is no object.
 */
export function checkOptionNames(caller: string, options: unknown, known: Iterable<string>): void {
  const names = [...known];
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new PersimmonError(
      "OPTION_INVALID",
      `the options of ${caller} are an object with ${names.join(", ")}, got ${valueText(options)}`,
    );
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    const meant = likelyName(name, names);
    const question = meant === undefined ? "" : ` (did you mean "${meant}"?)`;
    throw new PersimmonError(
      "OPTION_UNKNOWN",
      `${caller} has no option "${name}"${question}; it has ${names.join(", ")}`,
    );
  }
}

/** A value as error messages name it: texts in quotes, so that "5" is not taken for 5, and of what is large its kind. */
export function valueText(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `a function${value.name === "" ? "" : ` ${value.name}`}`;
  if (typeof value !== "object" || value === null) return String(value);
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name} of ${(value as Uint8Array).length}`;
  if (Array.isArray(value)) return `[${shortList(value.map(innerText))}]`;
  const name = (value as object).constructor?.name;
  if (name !== undefined && name !== "Object" && name !== "") return `an object of ${name}`;
  const entries = Object.entries(value).map(([key, each]) => `${key}: ${innerText(each)}`);
  return entries.length === 0 ? "{}" : `{ ${shortList(entries)} }`;
}

/** A value inside of another: what has parts itself is not unfolded. */
function innerText(value: unknown): string {
  if (Array.isArray(value)) return "[…]";
  const isObject = typeof value === "object" && value !== null && !ArrayBuffer.isView(value);
  return isObject ? "{…}" : valueText(value);
}

function shortList(texts: readonly string[]): string {
  return [...texts.slice(0, 4), ...(texts.length > 4 ? ["…"] : [])].join(", ");
}
