import type { Bundle } from "../threads.js";
import { figureBundle, isFigure } from "./figure.js";
import { isDanfoFrame, tableHtml, tableOf } from "./table.js";
import { textOf } from "./text.js";

/** A method of this name returns an object's own MIME bundle, or a promise of it. The name is Deno's. */
export const DISPLAY = Symbol.for("Jupyter.display");

/**
 * How a value is shown, as a MIME bundle. In order: its own `Symbol.for("Jupyter.display")` method, a plotly figure, a
 * vega or vega-lite specification, a danfojs table or an array of records, and text for everything else.
 */
export function bundleOf(value: unknown): Bundle | Promise<Bundle> {
  const own = ownBundle(value);
  if (own instanceof Promise) return own.then((data) => withText(data, value));
  if (own) return withText(own, value);
  return { data: recognised(value) ?? { "text/plain": textOf(value) }, metadata: {} };
}

/** Bytes become base64, and everything else what JSON can hold. */
export function encodeData(data: Record<string, unknown>): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  for (const [type, value] of Object.entries(data)) {
    if (value === undefined || typeof value === "function") continue;
    encoded[type] = value instanceof Uint8Array ? base64(value) : json(value, type);
  }
  return encoded;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

function json(value: unknown, type: string): unknown {
  if (typeof value === "string") return value;
  const text = JSON.stringify(value, (_, part) => {
    if (typeof part === "bigint") return part.toString();
    return ArrayBuffer.isView(part) && !(part instanceof DataView) ? Array.from(part as Uint8Array) : part;
  });
  if (text === undefined) return String(value);
  return /[/+]json$/.test(type) ? JSON.parse(text) : text;
}

function ownBundle(value: unknown): Record<string, unknown> | Promise<Record<string, unknown>> | undefined {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") return undefined;
  let data: unknown;
  try {
    const method = (value as Record<symbol, unknown>)[DISPLAY];
    if (typeof method !== "function") return undefined;
    data = method.call(value);
  } catch (error) {
    return failed(error);
  }
  if (data instanceof Promise) return data.then(checked, failed);
  return checked(data);
}

function checked(data: unknown): Record<string, unknown> {
  if (typeof data === "object" && data !== null && !Array.isArray(data))
    return data as Record<string, unknown>;
  return failed(new TypeError(`expected a MIME bundle (an object), found ${textOf(data)}`));
}

function failed(error: unknown): Record<string, unknown> {
  return { "text/plain": `[Symbol.for("Jupyter.display")] failed: ${textOf(error)}` };
}

function withText(data: Record<string, unknown>, value: unknown): Bundle {
  const encoded = encodeData(data);
  encoded["text/plain"] ??= textOf(value);
  return { data: encoded, metadata: {} };
}

function recognised(value: unknown): Record<string, unknown> | undefined {
  try {
    if (isFigure(value)) return figureBundle(value);
    const schema = (value as { $schema?: unknown } | null | undefined)?.$schema;
    if (typeof schema === "string") {
      const vega = /\/schema\/(vega|vega-lite)\/v(\d+)/.exec(schema);
      if (vega) {
        const type = `application/vnd.${vega[1]!.replace("-", "")}.v${vega[2]}+json`;
        return { ...encodeData({ [type]: value }), "text/plain": textOf(value) };
      }
    }
    const table = tableOf(value);
    if (!table) return undefined;
    const text = isDanfoFrame(value) ? String(value) : textOf(value);
    return { "text/html": tableHtml(table), "text/plain": text };
  } catch {
    return undefined; // a getter of the value throws, or it is circular: text does
  }
}
