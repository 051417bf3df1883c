import { RequestError } from "./request_error.js";

/** The fields of a request, read one by one: null counts as left out, and what nobody has read is refused. */
export class Fields {
  readonly #body: Record<string, unknown>;
  readonly #known = new Set<string>();

  constructor(body: Record<string, unknown>) {
    this.#body = body;
  }

  /** The value as it is; undefined where it is left out. */
  any(name: string): unknown {
    this.#known.add(name);
    const value = Object.hasOwn(this.#body, name) ? this.#body[name] : undefined;
    return value === null ? undefined : value;
  }

  text(name: string): string | undefined {
    return this.#of(name, "a string", (value): value is string => typeof value === "string");
  }

  boolean(name: string): boolean | undefined {
    return this.#of(name, "true or false", (value): value is boolean => typeof value === "boolean");
  }

  whole(name: string, least: number, most: number): number | undefined {
    const isWhole = (value: unknown): value is number => Number.isInteger(value);
    return this.#between(name, this.#of(name, "a whole number", isWhole), least, most);
  }

  number(name: string, least: number, most: number): number | undefined {
    const isNumber = (value: unknown): value is number => typeof value === "number";
    return this.#between(name, this.#of(name, "a number", isNumber), least, most);
  }

  /** Fields that change nothing here, whatever they say. */
  ignore(...names: string[]): void {
    for (const name of names) this.#known.add(name);
  }

  /** A field that would change the result and cannot: only `neutral` values are accepted. */
  unsupported(name: string, why: string, ...neutral: unknown[]): void {
    const value = this.any(name);
    if (value === undefined || neutral.some((one) => JSON.stringify(one) === JSON.stringify(value))) return;
    throw new RequestError("UNSUPPORTED_PARAMETER", `${name} is not supported: ${why}`, { param: name });
  }

  /** Refuses fields that were neither read nor ignored. */
  end(): void {
    const unknown = Object.keys(this.#body).find((name) => !this.#known.has(name));
    if (unknown === undefined) return;
    throw new RequestError("UNKNOWN_PARAMETER", `unrecognized request argument: ${unknown}`, {
      param: unknown,
    });
  }

  #of<T>(name: string, expected: string, fits: (value: unknown) => value is T): T | undefined {
    const value = this.any(name);
    if (value === undefined || fits(value)) return value;
    throw invalid(name, expected, value, "INVALID_TYPE");
  }

  #between(name: string, value: number | undefined, least: number, most: number): number | undefined {
    if (value === undefined || (value >= least && value <= most)) return value;
    throw invalid(name, `from ${least} to ${most}`, value);
  }
}

/** An error that says what a field must be and what it is. */
export function invalid(
  name: string,
  expected: string,
  value: unknown,
  code = "INVALID_VALUE",
): RequestError {
  const text = JSON.stringify(value) ?? String(value);
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return new RequestError(code, `${name} must be ${expected}, got ${shown}`, { param: name });
}
