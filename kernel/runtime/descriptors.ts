import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

type AnyFunction = (...parameters: unknown[]) => unknown;

/**
 * Lets JavaScript that writes to descriptors 1 and 2 (fs.writeSync and its like) write to process.stdout and
 * process.stderr instead. The pipes behind the descriptors would show the text as well, but not in its place among what
 * console.log prints.
 */
export function redirectDescriptorWrites(): void {
  wrap("writeSync", ([fd, data, ...rest], original) => {
    const stream = streamOf(fd);
    const bytes = stream && bytesOf(data, rest);
    if (!bytes) return original();
    stream.write(bytes);
    return bytes.byteLength;
  });
  wrap("write", ([fd, data, ...rest], original) => {
    const stream = streamOf(fd);
    const bytes = stream && bytesOf(data, rest);
    const done = rest.at(-1);
    if (!bytes || typeof done !== "function") return original();
    stream.write(bytes);
    process.nextTick(done as AnyFunction, null, bytes.byteLength, data);
    return undefined;
  });
  for (const name of ["writeFileSync", "appendFileSync"] as const) {
    wrap(name, ([fd, data, options], original) => {
      const stream = streamOf(fd);
      const encoding = typeof options === "string" ? options : (options as { encoding?: unknown })?.encoding;
      const bytes = stream && bytesOf(data, [undefined, encoding]);
      if (!bytes) return original();
      stream.write(bytes);
      return undefined;
    });
  }
  syncBuiltinESMExports();
}

function wrap(
  name: "writeSync" | "write" | "writeFileSync" | "appendFileSync",
  call: (parameters: unknown[], original: () => unknown) => unknown,
): void {
  const original = fs[name] as AnyFunction;
  const wrapped = (...parameters: unknown[]) => call(parameters, () => original(...parameters));
  // util.promisify finds its names there.
  Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(original));
  Object.assign(fs, { [name]: wrapped });
}

function streamOf(fd: unknown): NodeJS.WriteStream | undefined {
  if (fd === 1) return process.stdout;
  return fd === 2 ? process.stderr : undefined;
}

/** The bytes that a call writes, or undefined when its parameters are wrong, about which Node itself complains. */
function bytesOf(data: unknown, [first, second]: unknown[]): Buffer | undefined {
  if (typeof data === "string") {
    return Buffer.from(data, Buffer.isEncoding(String(second)) ? (second as BufferEncoding) : "utf8");
  }
  if (!ArrayBuffer.isView(data)) return undefined;
  const options =
    typeof first === "object" && first !== null ? (first as Record<string, unknown>) : undefined;
  const offset = (options ? options.offset : first) ?? 0;
  const length = (options ? options.length : typeof second === "number" ? second : undefined) ?? undefined;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  if (typeof offset !== "number") return bytes;
  const end = typeof length === "number" ? offset + length : bytes.byteLength;
  if (!(offset >= 0 && end >= offset && end <= bytes.byteLength)) return undefined;
  // A copy: the stream keeps the bytes of a character that is not complete yet.
  return Buffer.from(bytes.subarray(offset, end));
}
