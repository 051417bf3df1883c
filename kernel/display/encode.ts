import { types } from "node:util";

/**
 * The parts of a MIME bundle as messages carry them: bytes become base64, JSON types what JSON can hold, and everything
 * else text. Parts without content (undefined, functions, null unless the type is JSON) are left out.
 * @throws TypeError where a part holds itself
 */
export function encodeData(data: Record<string, unknown>): Record<string, unknown> {
  const encoded: Record<string, unknown> = {};
  for (const [type, value] of Object.entries(data)) {
    if (value === undefined || typeof value === "function") continue;
    if (value === null && !isJson(type)) continue;
    encoded[type] =
      types.isArrayBufferView(value) || types.isAnyArrayBuffer(value) ? base64(value) : json(value, type);
  }
  return encoded;
}

function base64(value: NodeJS.ArrayBufferView | ArrayBufferLike): string {
  if (types.isAnyArrayBuffer(value)) return Buffer.from(value).toString("base64");
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
}

function json(value: unknown, type: string): unknown {
  if (typeof value === "string") return value;
  const text = toJson(value, String);
  if (text === undefined) return String(value);
  return isJson(type) ? JSON.parse(text) : text;
}

function isJson(type: string): boolean {
  return /[/+]json$/.test(type);
}

/** JSON with typed arrays as arrays; numbers that are not finite become null, as always in JSON. */
export function toJson(value: unknown, ofBigInt: (part: bigint) => unknown): string | undefined {
  return JSON.stringify(value, (_, part) => {
    if (typeof part === "bigint") return ofBigInt(part);
    return types.isTypedArray(part) ? Array.from(part as ArrayLike<unknown>) : part;
  });
}
