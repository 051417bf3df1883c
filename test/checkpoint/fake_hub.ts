import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, vi } from "vitest";
import { patience } from "../../src/checkpoint/hub/patience.js";

export interface FakeHub {
  url: string;
  /** Method and path of every request, in order. */
  requests: string[];
  /** Authorization header of every request. */
  tokens: (string | undefined)[];
  /** Range header of every request for a file; "" where there was none. */
  ranges: string[];
  /** Bytes of files that were handed to the network. */
  sent: number;
  close(): Promise<void>;
}

/** What goes wrong with one answer. */
export interface Fault {
  /** Sends this status instead. */
  status?: number;
  headers?: Record<string, string | undefined>;
  /** Breaks the connection after so many bytes. */
  breakAfter?: number;
  /** Sends nothing more after so many bytes. */
  stallAfter?: number;
  /** Waits so many milliseconds after each 16 KiB. */
  slow?: number;
  /** Goes on after the first 16 KiB when this is over. */
  until?: Promise<unknown>;
  ignoreRange?: boolean;
  /** Answers a range with one that begins so much later. */
  shiftRange?: number;
  /** "" leaves it out; `"x"`. */
  etag?: string;
  /** Announces so many bytes more, and sends none of them. */
  announce?: number;
  /** Sends no length: the end of the connection is the end of the file. */
  noLength?: boolean;
  data?: Uint8Array;
  /** Redirects to content of this id. */
  linked?: string;
}

interface Options {
  /** Answers every request with this status. */
  status?: number;
  headers?: Record<string, string>;
  /** Sends other bytes than were listed for this file. */
  corrupt?: string;
  /** Sends one byte more than was listed for this file. */
  longer?: string;
  /** Breaks the connection in the middle of this file. */
  broken?: string;
  /** What is wrong with the answer number `time` (from 1) to requests for a file, or for "" where the API is meant. */
  fault?: (file: string, time: number) => Fault | undefined;
  /** Lists these sizes instead of the true ones. */
  listed?: Record<string, number>;
  /** Large files are at the same path of this other server, as on the hub itself. */
  content?: string;
  /** What `owner/name` is; a model. */
  kind?: "model" | "dataset";
  /** The branch that the files are on; "main". */
  branch?: string;
  /** A branch without files, beside it. */
  emptyBranch?: string;
}

export const commit = "0123456789abcdef0123456789abcdef01234567";
const emptyCommit = "76543210fedcba9876543210fedcba9876543210";

/** An empty cache in `home`, and nothing else that a user's environment says about the hub. */
export function stubHubEnvironment(home: string): void {
  for (const name of [
    "HF_HUB_CACHE",
    "HUGGINGFACE_HUB_CACHE",
    "HF_TOKEN",
    "HF_TOKEN_PATH",
    "HUGGING_FACE_HUB_TOKEN",
    "HF_HUB_OFFLINE",
  ])
    vi.stubEnv(name, "");
  vi.stubEnv("HF_HOME", home);
  vi.stubEnv("HF_ENDPOINT", "http://127.0.0.1:9"); // the discard port: nothing listens there
}

/** For the tests of a file: a download that fails is tried again at once. */
export function withoutPauses(): void {
  const usual = { ...patience };
  beforeEach(() => void Object.assign(patience, { firstDelay: 1 }));
  afterEach(() => void Object.assign(patience, usual));
}

/** The few endpoints of the Hugging Face hub that a download uses, for one repository `owner/name`, on 127.0.0.1. */
export async function fakeHub(files: Record<string, Uint8Array>, options: Options = {}): Promise<FakeHub> {
  const times = new Map<string, number>();
  const server = createServer((request, response) => {
    hub.requests.push(`${request.method} ${request.url}`);
    hub.tokens.push(request.headers.authorization);
    const file = fileOf(request, options);
    const time = (times.get(file) ?? 0) + 1;
    times.set(file, time);
    if (file !== "") hub.ranges.push(request.headers.range ?? "");
    const fault = options.fault?.(file, time) ?? {};
    if (fault.status !== undefined) json(response, fault.status, { error: "a fault" }, fault.headers);
    else if (options.status !== undefined) json(response, options.status, { error: "x" }, options.headers);
    else if (file === "") answer(request, response, files, options);
    else if (files[file] === undefined) json(response, 404, {}, { "x-error-code": "EntryNotFound" });
    else void send(request, response, file, files[file], options, fault, hub);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const hub: FakeHub = {
    url,
    requests: [],
    tokens: [],
    ranges: [],
    sent: 0,
    close: () => closeServer(server),
  };
  return hub;
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((done) => server.close(() => done()));
}

function json(response: ServerResponse, status: number, value: unknown, headers = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

const pathOf = (request: IncomingMessage) => new URL(request.url!, "http://hub").pathname;

/** The file that a request is for, or "". */
function fileOf(request: IncomingMessage, { kind = "model" }: Options): string {
  const path = pathOf(request);
  const resolved = `${kind === "model" ? "" : "/datasets"}/owner/name/resolve/${commit}/`;
  return path.startsWith(resolved) ? decodeURIComponent(path.slice(resolved.length)) : "";
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  files: Record<string, Uint8Array>,
  { kind = "model", branch = "main", emptyBranch, listed }: Options,
): void {
  const path = pathOf(request);
  const api = `/api/${kind}s/owner/name`;
  const revision = (name: string) => `${api}/revision/${encodeURIComponent(name)}`;
  const entries = () => Object.entries(files).map(([name, data]) => treeEntry(name, data, listed?.[name]));
  const isCommit = path === revision(branch) || path === revision(commit);
  if (isCommit) json(response, 200, { id: "owner/name", sha: commit });
  else if (emptyBranch && path === revision(emptyBranch))
    json(response, 200, { id: "owner/name", sha: emptyCommit });
  else if (path === `${api}/tree/${commit}`) json(response, 200, entries());
  else if (path === `${api}/tree/${emptyCommit}`) json(response, 200, []);
  else if (path.startsWith(`${api}/revision/`))
    json(response, 404, { error: "Invalid rev id" }, { "x-error-code": "RevisionNotFound" });
  else json(response, 404, { error: "Repository not found" });
}

const isLarge = (path: string) => /\.(safetensors|bin|model|parquet)$/.test(path);
const sha256 = (data: Uint8Array) => createHash("sha256").update(data).digest("hex");
const gitSha1 = (data: Uint8Array) =>
  createHash("sha1").update(`blob ${data.length}\0`).update(data).digest("hex");

/** The name of a file's content in the cache. */
export function blobName(path: string, data: Uint8Array): string {
  return isLarge(path) ? sha256(data) : gitSha1(data);
}

function treeEntry(path: string, data: Uint8Array, size = data.length) {
  const lfs = isLarge(path) ? { lfs: { oid: sha256(data), size, pointerSize: 134 } } : {};
  return { type: "file", path, size, oid: gitSha1(data), ...lfs };
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  file: string,
  data: Uint8Array,
  options: Options,
  fault: Fault,
  hub: FakeHub,
): Promise<void> {
  const linked = {
    "x-linked-etag": `"${fault.linked ?? blobName(file, data)}"`,
    "x-linked-size": data.length,
  };
  if (options.content !== undefined && isLarge(file)) {
    response.writeHead(302, { ...linked, location: `${options.content}${request.url}` });
    response.end("Found. Redirecting");
    return;
  }
  if (file === options.longer) data = Buffer.concat([data, Buffer.from("+")]);
  if (file === options.corrupt) data = data.map((byte) => byte ^ 1);
  data = fault.data ?? data;
  const range = fault.ignoreRange ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = range === null ? 0 : Number(range[1]) + (fault.shiftRange ?? 0);
  const end = range === null || range[2] === "" ? data.length - 1 : Number(range[2]);
  const body = data.subarray(start, end + 1);
  const etag = fault.etag ?? '"x"';
  const headers: Record<string, string | number | undefined> = { ...(etag && { etag }), ...fault.headers };
  if (!fault.noLength) headers["content-length"] = body.length + (fault.announce ?? 0);
  if (range !== null) headers["content-range"] = `bytes ${start}-${end}/${data.length}`;
  response.writeHead(range === null ? 200 : 206, headers);
  // Nothing behind the middle ever arrives.
  const middle = Math.max(0, Math.floor(data.length / 2) - start);
  const cut = file === options.broken ? middle : fault.breakAfter;
  const limit = cut ?? fault.stallAfter ?? body.length;
  for (let at = 0; at < limit; at += 16_384) {
    const piece = body.subarray(at, Math.min(at + 16_384, limit));
    await new Promise<unknown>((done) => void response.write(piece, done));
    if (response.destroyed) return;
    hub.sent += piece.length;
    await fault.until;
    if (fault.slow !== undefined) await new Promise((done) => setTimeout(done, fault.slow));
  }
  if (cut !== undefined) response.destroy();
  else if (fault.stallAfter === undefined && !fault.announce) response.end();
  else if (fault.announce) response.destroy();
}
