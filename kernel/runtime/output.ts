import { Console } from "node:console";
import { Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { StreamName } from "../server/stream_batch.js";

/**
 * Puts streams into process.stdout and process.stderr that hand each text to `write`. They take the place of Node's own
 * before these are ever opened: Node would make the pipe behind descriptor 1 non-blocking, and native code that prints
 * into a full one would lose text.
 */
export function redirectOutput(write: (name: StreamName, text: string) => void): void {
  replace("stdout", 1, write);
  replace("stderr", 2, write);
  // Node's own console guards each write against errors of a pipe, with a listener and a tick: for 10,000 lines 28 ms
  // instead of 15. These streams have none.
  const { stdout, stderr } = process;
  const quick = new Console({ stdout, stderr, ignoreErrors: false });
  for (const [name, method] of Object.entries(quick)) {
    if (typeof method === "function") Object.defineProperty(console, name, { value: method });
  }
}

function replace(name: StreamName, fd: number, write: (name: StreamName, text: string) => void): void {
  const stream = new Writable({ decodeStrings: false });
  const decoder = new StringDecoder("utf8");
  // Overrides the stream's own write, whose bookkeeping costs more than the message to the server thread.
  stream.write = ((chunk: string | Uint8Array, encoding?: unknown, callback?: unknown) => {
    check(chunk);
    if (typeof chunk !== "string") {
      write(name, decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
    } else if (isBinary(encoding)) write(name, decoder.write(Buffer.from(chunk, encoding)));
    else write(name, chunk);
    const done = typeof encoding === "function" ? encoding : callback;
    if (typeof done === "function") process.nextTick(done as () => void);
    return true;
  }) as Writable["write"];
  // Nothing ends the streams of a process that goes on: Node's own cannot be destroyed either.
  stream.end = ((...parameters: unknown[]) => {
    const [chunk] = parameters;
    if (chunk !== undefined && chunk !== null && typeof chunk !== "function")
      stream.write(...(parameters as [string]));
    else for (const done of parameters) if (typeof done === "function") process.nextTick(done as () => void);
    return stream;
  }) as Writable["end"];
  stream.destroy = () => stream;
  Object.assign(stream, { fd, isTTY: false, columns: 80, rows: 24 });
  Object.defineProperty(process, name, {
    value: stream,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}

/** Refuses what Node's own streams refuse. */
function check(chunk: unknown): void {
  if (typeof chunk === "string" || ArrayBuffer.isView(chunk)) return;
  const error =
    chunk === null
      ? { text: "May not write null values to stream", code: "ERR_STREAM_NULL_VALUES" }
      : {
          text: `The "chunk" argument must be of type string or an instance of Buffer or Uint8Array. Received ${typeof chunk}`,
          code: "ERR_INVALID_ARG_TYPE",
        };
  throw Object.assign(new TypeError(error.text), { code: error.code });
}

/** Whether a string in this encoding stands for bytes. */
function isBinary(encoding: unknown): encoding is BufferEncoding {
  return (
    typeof encoding === "string" &&
    Buffer.isEncoding(encoding) &&
    !/^utf-?8$|^utf-?16|^ucs-?2/i.test(encoding)
  );
}
