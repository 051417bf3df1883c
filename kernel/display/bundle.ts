import type { Bundle } from "../threads.js";
import { encodeData } from "./encode.js";
import { withFigureHtml } from "./figure.js";
import { recognised } from "./recognised.js";
import { textOf } from "./text.js";

/** A method of this name returns an object's own MIME bundle, or a promise of it. The name is Deno's. */
export const DISPLAY = Symbol.for("Jupyter.display");

/**
 * How a value is shown, as a MIME bundle. In order: its own `Symbol.for("Jupyter.display")` method, what other libraries
 * make (figures, charts, elements, pictures, tables), and text for everything else. Never throws and never rejects.
 */
export function bundleOf(value: unknown): Bundle | Promise<Bundle> {
  let own: unknown;
  try {
    const method = displayMethod(value);
    if (method === undefined)
      return { data: recognised(value) ?? { "text/plain": textOf(value) }, metadata: {} };
    own = method.call(value);
    if (typeof (own as PromiseLike<unknown> | null | undefined)?.then === "function") {
      const failure = (error: unknown) => failed(textOf(error), value);
      return Promise.resolve(own).then((data) => ownBundle(data, value), failure);
    }
  } catch (error) {
    return failed(textOf(error), value);
  }
  return ownBundle(own, value);
}

function displayMethod(value: unknown): (() => unknown) | undefined {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return undefined;
  const method = (value as Record<symbol, unknown>)[DISPLAY];
  return typeof method === "function" ? (method as () => unknown) : undefined;
}

function ownBundle(data: unknown, value: unknown): Bundle {
  try {
    if (typeof data !== "object" || data === null || Array.isArray(data)) {
      throw new TypeError(`expected a MIME bundle (an object), found ${textOf(data)}`);
    }
    const encoded = withFigureHtml(encodeData(data as Record<string, unknown>));
    encoded["text/plain"] ??= textOf(value);
    return { data: encoded, metadata: {} };
  } catch (error) {
    return failed((error as Error).message, value);
  }
}

/** What went wrong, and the value as text below it. */
function failed(reason: string, value: unknown): Bundle {
  const text = `[Symbol.for("Jupyter.display")] failed: ${reason}\n${textOf(value)}`;
  return { data: { "text/plain": text }, metadata: {} };
}
