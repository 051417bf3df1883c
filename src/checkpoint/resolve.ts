import { resolve } from "node:path";
import { PersimmonError } from "../errors.js";
import { kindOf } from "./file.js";
import { cachedSnapshot, expandHome, type HubKind, hubCacheDirectory } from "./hub_cache.js";
import { type DownloadProgress, type DownloadRequest, downloadSnapshot } from "./hub_download.js";
import { isTarName } from "./release/tar.js";

export interface ResolveOptions {
  /** Branch, tag or commit hash on the hub; "main". */
  revision?: string;
  /** Use what is on this machine only; true when HF_HUB_OFFLINE is set to 1 or true. */
  offline?: boolean;
  /** Ends a download. */
  signal?: AbortSignal;
  /** Called for every piece that arrives. */
  onProgress?: (progress: DownloadProgress) => void;
}

/** `owner/name` as the hub allows it: letters, digits, `-`, `_` and `.`, with no `--` or `..`. */
export const HUB_NAME = /^(?!.*(?:--|\.\.))[\w][\w.-]*\/[\w][\w.-]*$/;

/**
 * Finds the directory of a checkpoint. An existing directory is itself, and so is a .tar. A name of the form `owner/name` is looked up in
 * the Hugging Face cache, without asking the network, and else downloaded into it. HF_HOME, HF_HUB_CACHE, HF_ENDPOINT,
 * HF_TOKEN and HF_HUB_OFFLINE are honoured.
 *
 * @throws PersimmonError CHECKPOINT_NOT_FOUND, HUB_NOT_FOUND (no such model, or a private one), HUB_FORBIDDEN (a gated
 *   model), HUB_UNREACHABLE (offline, refused, server errors), HUB_CORRUPT, HUB_ABORTED, CACHE_UNWRITABLE, and for a
 *   model of another kind CONFIG_UNSUPPORTED, CONFIG_MISSING, WEIGHTS_MISSING
 */
export async function resolveCheckpoint(
  pathOrHubName: string,
  options: ResolveOptions = {},
): Promise<string> {
  const path = resolve(expandHome(pathOrHubName));
  const kind = pathOrHubName === "" ? undefined : await kindOf(path);
  if (kind === "directory" || (kind === "file" && isTarName(path))) return path;
  if (kind === "file") {
    throw notFound(pathOrHubName, `${path} is a file. Give the directory that holds it`);
  }
  if (!HUB_NAME.test(pathOrHubName) || pathOrHubName.length > 200) {
    throw notFound(
      pathOrHubName,
      `there is no directory ${path}, and a name on the hub has the form owner/name`,
    );
  }
  const revision = options.revision ?? "main";
  if (!/^(?!.*\.\.)[\w][\w./-]*$/.test(revision)) {
    throw notFound(pathOrHubName, `${JSON.stringify(revision)} is no branch, tag or commit`);
  }
  return resolveHubName(pathOrHubName, revision, path, options);
}

function notFound(given: string, message: string): PersimmonError {
  return new PersimmonError(
    "CHECKPOINT_NOT_FOUND",
    `${JSON.stringify(given)}: expected a directory or a model on the hub, but ${message}.`,
  );
}

async function resolveHubName(
  name: string,
  revision: string,
  path: string,
  options: ResolveOptions,
): Promise<string> {
  const cacheDirectory = hubCacheDirectory();
  const cached = await cachedSnapshot(cacheDirectory, name, revision);
  if (cached !== undefined) return cached;
  const tried = `there is no directory ${path} and no complete copy in the cache ${cacheDirectory}`;
  return fromHub("model", name, revision, tried, options, downloadSnapshot);
}

/**
 * Runs a download with the settings of the environment (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE); whatever fails becomes one coded
 * error.
 * @param tried for errors: what is not on this machine, as a sentence without its end
 */
export async function fromHub<T>(
  kind: HubKind,
  name: string,
  revision: string,
  tried: string,
  options: ResolveOptions,
  download: (request: DownloadRequest) => Promise<T>,
): Promise<T> {
  const cacheDirectory = hubCacheDirectory();
  const endpoint = (process.env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");
  const offline = options.offline ?? /^(1|true|yes|on)$/i.test(process.env.HF_HUB_OFFLINE ?? "");
  const noun = nouns[kind];
  if (offline)
    throw unreachable(noun, name, tried, "downloading is switched off (offline option or HF_HUB_OFFLINE)");
  if (!URL.canParse(endpoint)) throw unreachable(noun, name, tried, `HF_ENDPOINT is not a URL: ${endpoint}`);
  const { signal, onProgress } = options;
  const token = process.env.HF_TOKEN;
  const request = { name, revision, cacheDirectory, endpoint, token, signal, onProgress };
  try {
    return await download(request);
  } catch (cause) {
    throw explain(cause, noun, request, tried);
  }
}

const nouns: Record<HubKind, string> = { model: "model", dataset: "data set" };

function unreachable(
  noun: string,
  name: string,
  tried: string,
  reason: string,
  cause?: unknown,
): PersimmonError {
  const advice = `Give the path of a local directory, or download the ${noun} on another machine and copy it`;
  return new PersimmonError("HUB_UNREACHABLE", `${name}: ${tried}, and ${reason}. ${advice}.`, { cause });
}

/** Turns what the hub client, fetch and the file system throw into one coded error. */
function explain(cause: unknown, noun: string, request: DownloadRequest, tried: string): PersimmonError {
  const { name, revision, endpoint, token, signal } = request;
  if (cause instanceof PersimmonError) return cause;
  if (signal?.aborted)
    return new PersimmonError("HUB_ABORTED", `${name}: the download was stopped.`, { cause });
  const error = cause as {
    statusCode?: number;
    syscall?: string;
    message?: string;
    cause?: { message?: string };
  };
  const status = error.statusCode;
  if (status === 404 || status === 401) {
    const login = token ? "HF_TOKEN may lack access to it" : "if it is private, set HF_TOKEN";
    const message = `${tried}, and ${endpoint} has no such ${noun} or revision "${revision}" (status ${status}); ${login}.`;
    return new PersimmonError("HUB_NOT_FOUND", `${name}: ${message} Check the name, or give a local path.`, {
      cause,
    });
  }
  if (status === 403) {
    const message = `${endpoint} refuses access (status 403). Accept the ${noun}'s terms there and set HF_TOKEN.`;
    return new PersimmonError("HUB_FORBIDDEN", `${name}: ${message}`, { cause });
  }
  if (status === undefined && /^(open|mkdir|write|rename|symlink|unlink|rm)$/.test(error.syscall ?? "")) {
    const message = `cannot write to the cache: ${error.message}. Free some space, or set HF_HOME to another directory.`;
    return new PersimmonError("CACHE_UNWRITABLE", `${name}: ${message}`, { cause });
  }
  const reason = error.cause?.message || error.message || String(cause);
  return unreachable(noun, name, tried, `${endpoint} could not be used: ${reason}`, cause);
}
