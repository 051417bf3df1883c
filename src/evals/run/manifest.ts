import { PersimmonError } from "../../errors.js";
import { sha256Of } from "../../sha256.js";

/** How a run asks: by what the model writes, or by how probable it finds given answers. */
export type EvalMethod = "generate" | "likelihood";

/** The model as it was when the run began. */
export interface ModelRecord {
  /** SHA-256 over the model's files (`modelFiles`); null for a model without any (random weights). */
  sha256: string | null;
  /** Element type of the weights. */
  dtype: string;
  layers: number;
  hidden: number;
  /**
   * Modules that are not the model's own classes, and edits, hooks, watches and counters in force: a line for each site, with the
   * phase and what an edit does there on which heads, units and positions, or which function a hook is.
   */
  changed: { modules: string[]; interventions: string[] };
  /**
   * SHA-256 of the logits of a fixed short text: what no list shows (replaced weights, the strength of an edit) changes it.
   */
  logits_sha256: string;
}

/** Where the questions, or the examples, come from: what of it decides the results. */
export interface DataRecord {
  split: string;
  sha256: string;
  items: number;
}

/**
 * manifest.json: everything that decides what a sample is, and nothing else: no path, no time, no limit and no shard, so
 * that shards of other machines and longer runs belong together. The SHA-256 of the file is the fingerprint of the run.
 */
export interface Manifest {
  /** Of these files. */
  format: 1;
  task: string;
  /** Version of the prompt, the stops and the extraction. */
  task_version: number;
  method: EvalMethod;
  preset: string | null;
  data: DataRecord;
  /** Where the examples come from; null without examples. */
  shots: DataRecord | null;
  settings: {
    final_newline: boolean;
    instruction_prefix: string;
    chat: boolean;
    bos: boolean;
    shots: 0 | 1;
    shot_seed: number;
    max_new_tokens: number;
    stop: string[];
    /** 0: the most likely token, of equal ones that with the lowest id. */
    temperature: number;
    top_p: number;
    samples: number;
    keep_prompts: boolean;
    batch_size: number;
  };
  model: ModelRecord;
  engine: {
    name: string;
    version: string;
    device: string;
    kernel: string;
    /** Over how many ranks the model is split, which changes the order of sums; absent where it is not. */
    ranks?: number;
  };
}

/** What of a manifest is known before a model is; `bos` is null where its tokenizer decides. */
export type ManifestDraft = Omit<Manifest, "model" | "engine" | "settings"> & {
  settings: Omit<Manifest["settings"], "bos"> & { bos: boolean | null };
};

/** The file's content. */
export function manifestText(manifest: Manifest): string {
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

export function fingerprintOf(text: string): string {
  return sha256Of(text);
}

/**
 * Reads a manifest.json.
 * @param path for errors
 * @throws PersimmonError RUN_CORRUPT where it is not what `manifestText` gives
 */
export function parseManifest(text: string, path: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const { format, task, data, settings, model, engine } = (value ?? {}) as Partial<Manifest>;
  const parts: unknown[] = [data, settings, model?.changed, engine];
  const isWhole = parts.every((part) => typeof part === "object" && part !== null);
  if (format === 1 && typeof task === "string" && isWhole) return value as Manifest;
  throw new PersimmonError(
    "RUN_CORRUPT",
    `${path}: expected the manifest of a run (format 1), found ${JSON.stringify(text.slice(0, 60))}: the file was changed by something else; put it back, or use another folder`,
  );
}

/** Throws `RUN_MISMATCH`, naming each setting that differs, unless both are the same; `RUN_CORRUPT`. */
export function expectSameManifest(folder: string, there: string, wanted: string): void {
  if (there === wanted) return;
  const old = parseManifest(there, `${folder}/manifest.json`);
  const differences = differencesOf(old, JSON.parse(wanted)).map(
    ({ path, a, b }) => `${path} was ${a} and is ${b} now`,
  );
  const list = differences.length > 0 ? differences.join("; ") : "the text of manifest.json was changed";
  throw new PersimmonError(
    "RUN_MISMATCH",
    `the run in ${folder} was made in another way and is not gone on with: ${list}. Use the same settings, or another folder`,
  );
}

/** What two manifests do not have in common: places, and the values there as JSON. */
export function differencesOf(a: unknown, b: unknown, path = ""): { path: string; a: string; b: string }[] {
  const isObject = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  if (isObject(a) && isObject(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    return [...names].flatMap((name) =>
      differencesOf(a[name], b[name], path === "" ? name : `${path}.${name}`),
    );
  }
  const [one, other] = [a, b].map((value) => JSON.stringify(value) ?? "nothing");
  return one === other ? [] : [{ path, a: one, b: other }];
}
