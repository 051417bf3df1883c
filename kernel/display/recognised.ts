import { types } from "node:util";
import { elementBundle } from "./element.js";
import { figureBundle, isFigure } from "./figure.js";
import { frameOf } from "./frame.js";
import { pictureType } from "./picture.js";
import { tableHtml } from "./table.js";
import { textOf } from "./text.js";
import { vegaBundle } from "./vega.js";

/**
 * The MIME bundle of what well-known libraries make, told by its shape, so that none of them is ever imported: plotly
 * figures, vega and vega-lite, elements of a document, pictures in bytes, tables. Undefined for everything else.
 */
export function recognised(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    return types.isUint8Array(value) ? picture(value) : made(value);
  } catch {
    return undefined; // a getter of the value throws, or it is circular: text does
  }
}

function made(value: object): Record<string, unknown> | undefined {
  if (isFigure(value)) return figureBundle(value);
  const bundle = vegaBundle(value) ?? elementBundle(value);
  if (bundle) return bundle;
  const frame = frameOf(value);
  return frame && { "text/html": tableHtml(frame), "text/plain": frame.text ?? textOf(value) };
}

function picture(bytes: Uint8Array): Record<string, unknown> | undefined {
  const type = pictureType(bytes);
  if (type === undefined) return undefined;
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  return { [type]: base64, "text/plain": textOf(bytes) };
}
