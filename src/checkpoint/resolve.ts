import { basename, resolve } from "node:path";
import { PersimmonError } from "../errors.js";
import type { Checkpoint } from "./checkpoint.js";
import { kindOf } from "./file.js";
import { cachedSnapshot, expandHome } from "./hub/cache.js";
import { fromHub, type HubOptions } from "./hub/from_hub.js";
import { inspectRepository, type RemoteCheckpoint } from "./hub/inspect.js";
import { hubSettings } from "./hub/settings.js";
import { downloadSnapshot, type PulledModel } from "./hub/snapshot.js";
import { openCheckpoint } from "./open.js";
import { isTarName } from "./release/tar.js";

export interface ResolveOptions extends HubOptions {
  /** Branch, tag or commit hash on the hub; what stands behind the name, else "main". */
  revision?: string;
}

export interface PullOptions extends ResolveOptions {
  /** Fetch every file of the repository, not just one form of the weights and what belongs to it; false. */
  all?: boolean;
}

/** `owner/name` as the hub allows it: letters, digits, `-`, `_` and `.`, with no `--` or `..`. */
export const HUB_NAME = /^(?!.*(?:--|\.\.))[\w][\w.-]*\/[\w][\w.-]*$/;

/**
 * Finds the directory of a checkpoint. An existing directory is itself, and so is a .tar. A name of the form `owner/name` or
 * `owner/name@revision` is looked up in the Hugging Face cache, without asking the network, and else downloaded into it.
 * HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are honoured.
 *
 * @throws PersimmonError CHECKPOINT_NOT_FOUND, HUB_NOT_FOUND (no such model, or a private one), HUB_FORBIDDEN (a gated
 *   model), HUB_UNREACHABLE (offline, refused, server errors), HUB_CORRUPT, HUB_ABORTED, HUB_LOCKED, DISK_FULL,
 *   CACHE_UNWRITABLE, and for a model of another kind CONFIG_UNSUPPORTED, CONFIG_MISSING, WEIGHTS_MISSING
 */
export async function resolveCheckpoint(
  pathOrHubName: string,
  options: ResolveOptions = {},
): Promise<string> {
  const place = await locate(pathOrHubName, options);
  if ("directory" in place) return place.directory;
  const { name, revision, tried } = place;
  return (await fromHub("model", name, revision, tried, options, downloadSnapshot)).directory;
}

/**
 * What a checkpoint declares, without fetching its weights: a directory, what the cache has, or else the repository on the hub.
 * @throws PersimmonError as `openCheckpoint` and `resolveCheckpoint`
 */
export async function inspectCheckpoint(
  pathOrHubName: string,
  options: ResolveOptions = {},
): Promise<Checkpoint | RemoteCheckpoint> {
  const place = await locate(pathOrHubName, options);
  if ("directory" in place) return openCheckpoint(place.directory);
  return fromHub("model", place.name, place.revision, place.tried, options, inspectRepository);
}

/** A directory on this machine, or what to ask the hub for. */
async function locate(
  given: string,
  options: ResolveOptions,
): Promise<{ directory: string } | { name: string; revision: string; tried: string }> {
  const path = resolve(expandHome(given));
  const kind = given === "" ? undefined : await kindOf(path);
  if (kind === "directory" || (kind === "file" && isTarName(path))) return { directory: path };
  if (kind === "file") {
    throw notFound(given, `${path} is a file. Give the directory that holds it`);
  }
  const { name, revision } = hubName(given, options.revision, `there is no directory ${path}, and `);
  const cache = options.cacheDirectory ?? hubSettings().cacheDirectory;
  const directory = await cachedSnapshot(cache, name, revision);
  if (directory !== undefined) return { directory };
  const tried = `there is no directory ${path} and no complete copy in the cache ${cache}`;
  return { name, revision, tried };
}

/**
 * Brings a model of the hub into the Hugging Face cache, in its newest state, and fetches only what is not there. Offline it is what
 * the cache has.
 * @param model `owner/name` or `owner/name@revision`
 * @throws PersimmonError as `resolveCheckpoint`
 */
export async function pullCheckpoint(model: string, options: PullOptions = {}): Promise<PulledModel> {
  const { name, revision } = hubName(model, options.revision, "");
  const settings = hubSettings();
  const cache = options.cacheDirectory ?? settings.cacheDirectory;
  if (options.offline ?? settings.offline) {
    const directory = await cachedSnapshot(cache, name, revision);
    if (directory !== undefined) return { directory, commit: basename(directory), files: [] };
  }
  const tried = `its newest state was asked for, whatever is in the cache ${cache}`;
  return fromHub("model", name, revision, tried, options, (request) =>
    downloadSnapshot(request, options.all),
  );
}

/** Reads `owner/name@revision`; the revision is "main" where nobody says another. */
function hubName(
  given: string,
  stated: string | undefined,
  tried: string,
): { name: string; revision: string } {
  const at = given.indexOf("@");
  const name = at < 0 ? given : given.slice(0, at);
  const behind = at < 0 ? undefined : given.slice(at + 1);
  if (!HUB_NAME.test(name) || name.length > 200) {
    throw notFound(given, `${tried}a name on the hub has the form owner/name`);
  }
  if (stated !== undefined && behind !== undefined && stated !== behind) {
    throw notFound(given, `another revision, ${JSON.stringify(stated)}, was asked for beside it`);
  }
  const revision = stated ?? behind ?? "main";
  if (!/^(?!.*\.\.)[\w][\w./-]*$/.test(revision)) {
    throw notFound(given, `${JSON.stringify(revision)} is no branch, tag or commit`);
  }
  return { name, revision };
}

function notFound(given: string, message: string): PersimmonError {
  return new PersimmonError(
    "CHECKPOINT_NOT_FOUND",
    `${JSON.stringify(given)}: expected a directory or a model on the hub, but ${message}.`,
  );
}
