import { PersimmonError } from "../../errors.js";
import type { HubKind } from "./cache.js";
import { HubFailure } from "./failure.js";
import type { DownloadProgress, DownloadRequest } from "./repository.js";
import { hubSettings } from "./settings.js";

export interface HubOptions {
  /** Use what is on this machine only; true when HF_HUB_OFFLINE is set to 1, true, yes or on. */
  offline?: boolean;
  /** Where downloads are kept; as HF_HUB_CACHE or HF_HOME say. */
  cacheDirectory?: string;
  /** Ends a download; what has arrived is kept. */
  signal?: AbortSignal;
  /** Called for every piece that arrives. What it throws ends the download and is thrown on. */
  onProgress?: (progress: DownloadProgress) => void;
}

/**
 * Runs a download with the settings of the environment (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE); whatever fails becomes one coded
 * error.
 * @param tried for errors: what is not on this machine, as a sentence without its end
 * @throws PersimmonError HUB_UNREACHABLE, HUB_NOT_FOUND, HUB_FORBIDDEN, HUB_ABORTED, DISK_FULL, CACHE_UNWRITABLE
 */
export async function fromHub<T>(
  kind: HubKind,
  name: string,
  revision: string,
  tried: string,
  options: HubOptions,
  download: (request: DownloadRequest) => Promise<T>,
): Promise<T> {
  const settings = hubSettings();
  const { endpoint, token } = settings;
  const noun = nouns[kind];
  if (options.offline ?? settings.offline)
    throw unreachable(noun, name, tried, "downloading is switched off (offline option or HF_HUB_OFFLINE)");
  if (!URL.canParse(endpoint) || !/^https?:/.test(endpoint))
    throw unreachable(noun, name, tried, `HF_ENDPOINT is not a URL: ${endpoint}`);
  const { signal } = options;
  let thrown: { error: unknown } | undefined;
  const onProgress = (progress: DownloadProgress) => {
    try {
      options.onProgress?.(progress);
    } catch (error) {
      thrown = { error };
      throw error;
    }
  };
  const cacheDirectory = options.cacheDirectory ?? settings.cacheDirectory;
  const request = { name, revision, cacheDirectory, endpoint, token, signal, onProgress };
  try {
    return await download(request);
  } catch (cause) {
    // An error of the caller's own is no failure of the hub.
    if (thrown !== undefined) throw thrown.error;
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

/** Turns what the hub client, its library and the file system throw into one coded error. */
function explain(cause: unknown, noun: string, request: DownloadRequest, tried: string): PersimmonError {
  const { name, endpoint, signal, cacheDirectory } = request;
  if (cause instanceof PersimmonError) return cause;
  const error = (code: string, message: string) => new PersimmonError(code, `${name}: ${message}`, { cause });
  if (signal?.aborted)
    return error(
      "HUB_ABORTED",
      "the download was stopped. What has arrived is kept; the next one goes on from there.",
    );
  if (cause instanceof HubFailure) {
    const { status } = cause;
    if (status === 401 || status === 403 || status === 404)
      return refused(cause, status, noun, request, tried);
    const kept = "What has arrived is kept; the next try goes on from there";
    return unreachable(noun, name, tried, `${endpoint} could not be used: ${cause.message}. ${kept}`, cause);
  }
  const { code, syscall, message } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC" || code === "EDQUOT")
    return error(
      "DISK_FULL",
      `there is no room left in ${cacheDirectory}. What has arrived is kept: free some space and start it again.`,
    );
  if (/^(open|mkdir|write|rename|symlink|link|unlink|rm|ftruncate|fsync)$/.test(syscall ?? ""))
    return error(
      "CACHE_UNWRITABLE",
      `cannot write to the cache: ${message}. Set HF_HOME to a directory that can be written.`,
    );
  return unreachable(
    noun,
    name,
    tried,
    `${endpoint} could not be used: ${(cause as Error).message ?? cause}`,
    cause,
  );
}

/** Statuses with which the hub hides or refuses a repository. */
function refused(
  cause: HubFailure,
  status: 401 | 403 | 404,
  noun: string,
  { name, revision, endpoint, token }: DownloadRequest,
  tried: string,
): PersimmonError {
  const error = (code: string, message: string) => new PersimmonError(code, `${name}: ${message}`, { cause });
  const login = token ? `the token in ${token.from} may lack access to it` : "if it is private, set HF_TOKEN";
  if (cause.errorCode === "GatedRepo" || (status === 403 && cause.errorCode === undefined)) {
    const isGated = cause.errorCode === "GatedRepo" ? "it is gated" : "it may be gated";
    const account = token ? `with the account of the token in ${token.from}` : "and set HF_TOKEN";
    const page = `${endpoint}/${noun === "model" ? "" : "datasets/"}${name}`;
    return error(
      "HUB_FORBIDDEN",
      `${endpoint} refuses access (status ${status}): ${isGated}. Accept the ${noun}'s terms at ${page} ${account}.`,
    );
  }
  if (status === 403)
    return error("HUB_FORBIDDEN", `${endpoint} refuses access (${cause.message}); ${login}.`);
  if (status === 401 && token && /credentials/i.test(cause.message))
    return error(
      "HUB_FORBIDDEN",
      `${endpoint} does not accept the token in ${token.from} (${cause.message}). Make a new one, or unset it.`,
    );
  if (cause.errorCode === "RevisionNotFound")
    return error(
      "HUB_NOT_FOUND",
      `${endpoint} has the ${noun}, but no revision "${revision}". Give a branch, a tag or a commit of it.`,
    );
  if (cause.errorCode === "EntryNotFound")
    return error("HUB_CORRUPT", `${endpoint} lists a file that it does not have. Try again.`);
  return error(
    "HUB_NOT_FOUND",
    `${tried}, and ${endpoint} has no such ${noun} or revision "${revision}" (status ${status}); ${login}. Check the name, or give a local path.`,
  );
}
