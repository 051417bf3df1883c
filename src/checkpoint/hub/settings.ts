import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Environment, expandHome, hubCacheDirectory, hubHome } from "./cache.js";

/** What the environment says about the hub, under the names that huggingface_hub reads. */
export interface HubSettings {
  /** HF_ENDPOINT, for a mirror; "https://huggingface.co". */
  endpoint: string;
  token: HubToken | undefined;
  /** See `hubCacheDirectory`. */
  cacheDirectory: string;
  /** HF_HUB_OFFLINE is 1, true, yes or on. */
  offline: boolean;
}

/** It is sent to the endpoint alone. */
export interface HubToken {
  value: string;
  /** Where it was found, for errors. */
  from: string;
}

export function hubSettings(environment: Environment = process.env): HubSettings {
  return {
    endpoint: (environment.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, ""),
    token: hubToken(environment),
    cacheDirectory: hubCacheDirectory(environment),
    offline: /^(1|true|yes|on)$/i.test(environment.HF_HUB_OFFLINE ?? ""),
  };
}

/**
 * HF_TOKEN, else HUGGING_FACE_HUB_TOKEN, else what `hf auth login` has written: the file HF_TOKEN_PATH, or `token` in HF_HOME. Space
 * around it, such as the line end that `echo` leaves, is no part of it.
 */
function hubToken(environment: Environment): HubToken | undefined {
  for (const from of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
    const value = environment[from]?.trim();
    if (value) return { value, from };
  }
  const path = expandHome(environment.HF_TOKEN_PATH || join(hubHome(environment), "token"));
  const value = readIfThere(path)?.trim();
  return value ? { value, from: path } : undefined;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
