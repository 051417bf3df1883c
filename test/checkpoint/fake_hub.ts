import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FakeHub {
  url: string;
  /** Method and path of every request, in order. */
  requests: string[];
  /** Authorization header of every request. */
  tokens: (string | undefined)[];
  close(): Promise<void>;
}

interface Options {
  /** Answers every request with this status. */
  status?: number;
  /** Sends other bytes than were listed for this file. */
  corrupt?: string;
  /** Sends one byte more than was listed for this file. */
  longer?: string;
  /** Breaks the connection in the middle of this file. */
  broken?: string;
  /** What `owner/name` is; a model. */
  kind?: "model" | "dataset";
  /** The branch that the files are on; "main". */
  branch?: string;
  /** A branch without files, beside it. */
  emptyBranch?: string;
}

export const commit = "0123456789abcdef0123456789abcdef01234567";
const emptyCommit = "76543210fedcba9876543210fedcba9876543210";

/** The few endpoints of the Hugging Face hub that a download uses, for one repository `owner/name`, on 127.0.0.1. */
export async function fakeHub(files: Record<string, Uint8Array>, options: Options = {}): Promise<FakeHub> {
  const requests: string[] = [];
  const tokens: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    tokens.push(request.headers.authorization);
    answer(request, response, files, options);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, requests, tokens, close: () => closeServer(server) };
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((done) => server.close(() => done()));
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  files: Record<string, Uint8Array>,
  options: Options,
): void {
  const path = new URL(request.url!, "http://hub").pathname;
  const json = (status: number, value: unknown) => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  const { kind = "model", branch = "main", emptyBranch } = options;
  const api = `/api/${kind}s/owner/name`;
  const resolved = `${kind === "model" ? "" : "/datasets"}/owner/name/resolve/${commit}/`;
  const file = path.startsWith(resolved) ? decodeURIComponent(path.slice(resolved.length)) : "";
  const revision = (name: string) => `${api}/revision/${encodeURIComponent(name)}`;
  if (options.status !== undefined) json(options.status, { error: "as the test wants" });
  else if (path === revision(branch)) json(200, { id: "owner/name", sha: commit });
  else if (emptyBranch && path === revision(emptyBranch)) json(200, { id: "owner/name", sha: emptyCommit });
  else if (path === `${api}/tree/${commit}`) json(200, Object.entries(files).map(treeEntry));
  else if (path === `${api}/tree/${emptyCommit}`) json(200, []);
  else if (files[file] === undefined) json(404, { error: "Repository not found" });
  else send(request, response, file, files[file], options);
}

function treeEntry([path, data]: [string, Uint8Array]) {
  const oid = createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex");
  const sha256 = createHash("sha256").update(data).digest("hex");
  const lfs = /\.(safetensors|bin|model|parquet)$/.test(path)
    ? { lfs: { oid: sha256, size: data.length, pointerSize: 134 } }
    : {};
  return { type: "file", path, size: data.length, oid, ...lfs };
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  file: string,
  data: Uint8Array,
  options: Options,
): void {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  if (range) {
    const [start, end] = [Number(range[1]), Number(range[2])];
    response.writeHead(206, { etag: '"x"', "content-range": `bytes ${start}-${end}/${data.length}` });
    response.end(data.subarray(start, end + 1));
    return;
  }
  if (file === options.longer) data = Buffer.concat([data, Buffer.from("+")]);
  response.writeHead(200, { etag: '"x"', "content-length": data.length });
  if (file === options.broken) {
    response.write(data.subarray(0, data.length / 2), () => response.destroy());
  } else {
    response.end(file === options.corrupt ? data.map((byte) => byte ^ 1) : data);
  }
}
