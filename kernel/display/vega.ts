import { encodeData } from "./encode.js";
import { textOf } from "./text.js";

// JupyterLab 4.6 draws vega 5 and vega-lite 3 to 5; its vega-embed draws a specification of version 6 too, under that name.
const NEWEST_DRAWN = 5;

/** A vega or vega-lite specification, told by its `$schema`, or an object of vega-lite-api, told by `toSpec()`. */
export function vegaBundle(value: object): Record<string, unknown> | undefined {
  const { toSpec } = value as { toSpec?: unknown };
  const specification = typeof toSpec === "function" ? toSpec.call(value) : value;
  const schema: unknown = specification?.$schema;
  if (typeof schema !== "string") return undefined;
  const [, name, version] = /\/schema\/(vega|vega-lite)\/v(\d+)/.exec(schema) ?? [];
  if (name === undefined) return undefined;
  const type = (number: number) => `application/vnd.${name.replace("-", "")}.v${number}+json`;
  const types = [...new Set([type(Number(version)), type(Math.min(Number(version), NEWEST_DRAWN))])];
  const parts = Object.fromEntries(types.map((each) => [each, specification]));
  return { ...encodeData(parts), "text/plain": textOf(value) };
}
