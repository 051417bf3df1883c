import { inspect } from "node:util";

/** Representations of one value by MIME type; the front end shows the richest that it can. */
export type MimeBundle = Record<string, unknown>;

/** The method by which an object says how it is shown. The name is a convention that Deno's Jupyter kernel set. */
export const jupyterDisplay: unique symbol = Symbol.for("Jupyter.display") as never;

/** A value that says how it is shown in a notebook. */
export interface Displayable {
  [jupyterDisplay](): MimeBundle | Promise<MimeBundle>;
}

export function isDisplayable(value: unknown): value is Displayable {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    typeof (value as Partial<Displayable>)[jupyterDisplay] === "function"
  );
}

/** How a value is shown: as it says itself, or as Node would print it. */
export function bundleOf(value: unknown): MimeBundle | Promise<MimeBundle> {
  if (isDisplayable(value)) return value[jupyterDisplay]();
  return { "text/plain": typeof value === "string" ? value : inspect(value, { depth: 4 }) };
}
