import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PersimmonError } from "../../errors.js";
import type { LanguageModel } from "../../language_model.js";
import { packageRoot } from "../../package_root.js";
import { sha256Of } from "../../sha256.js";
import { type PresetSplits, presetSplits } from "../data/presets.js";
import { type EvalData, readItems } from "../data/read_items.js";
import { chooseShot } from "../shot.js";
import type { EvalItem, EvalTask, LikelihoodQuestion } from "../task.js";
import { builtInNames } from "../tasks/built_in_names.js";
import type { DataRecord, Manifest, ManifestDraft } from "./manifest.js";
import { fingerprintOf, manifestText } from "./manifest.js";
import { describeModel } from "./model_record.js";
import type { CheckedOptions, CheckedQuestions } from "./options.js";
import type { RunOrigin } from "./run_folder.js";
import { inShard, limited, type Shard } from "./shard.js";

/** One item as it is put to the model. */
export interface Question {
  item: EvalItem;
  shotId: string | null;
  /** The prompt, or the context of the endings. */
  prompt: string;
  promptSha256: string;
  /** With BOS where the run has it. */
  ids: readonly number[];
  /** With the method "likelihood". */
  likelihood?: LikelihoodQuestion;
}

/** A run that can begin: what is asked and under which fingerprint. A shard on another machine prepares the same. */
export interface PreparedRun {
  model: LanguageModel;
  task: EvalTask;
  manifest: Manifest;
  fingerprint: string;
  origin: RunOrigin;
  /** All items of the split. */
  items: readonly EvalItem[];
  question(item: EvalItem): Question;
}

/** What is asked, before there is a model. */
export interface PreparedQuestions {
  draft: ManifestDraft;
  data: EvalData;
  /** Where examples come from; undefined without. */
  pool: EvalData | undefined;
}

/** Reads the data and describes the run. Throws what `readItems` does, and `PROMPT_TOO_LONG` by `question`. */
export async function prepareRun(options: CheckedOptions, signal: AbortSignal): Promise<PreparedRun> {
  const { model, task } = options;
  const { draft, data, pool } = await prepareQuestions(options, signal);
  const manifest = await completeManifest(draft, model, signal);
  return {
    model,
    task,
    manifest,
    fingerprint: fingerprintOf(manifestText(manifest)),
    origin: originOf(model.source, data, options),
    items: data.items,
    question: (item) => {
      const asked = askedOf(options, item, pool && chooseShot(task, item, pool.items, options.shotSeed));
      return { ...asked, ids: encode(model, asked.prompt, options.bos, item) };
    },
  };
}

/** Reads the data and says how it is asked. Throws what `readItems` does. */
export async function prepareQuestions(
  options: CheckedQuestions,
  signal: AbortSignal,
): Promise<PreparedQuestions> {
  const { task, switches } = options;
  const data = await readQuestions(options, signal);
  const isAsked = options.method === "generate" || usesShot(task);
  const pool = options.shots === 1 && isAsked ? await readShots(options, data, signal) : undefined;
  const draft: ManifestDraft = {
    format: 1,
    task: task.name,
    task_version: task.version,
    method: options.method,
    preset: presetOf(options) ?? null,
    data: recordOf(data),
    shots: pool === undefined ? null : recordOf(pool),
    settings: {
      final_newline: switches.finalNewline,
      instruction_prefix: switches.instructionPrefix,
      chat: switches.chat,
      bos: options.bos,
      shots: pool === undefined ? 0 : 1,
      shot_seed: options.shotSeed,
      max_new_tokens: options.maxNewTokens,
      stop: task.stop.map(String),
      temperature: options.temperature,
      top_p: options.topP,
      samples: options.samples,
      keep_prompts: options.keepPrompts,
      batch_size: options.batchSize,
    },
  };
  return { draft, data, pool };
}

/** Adds what the model and this library say. */
export async function completeManifest(
  draft: ManifestDraft,
  model: LanguageModel,
  signal: AbortSignal,
): Promise<Manifest> {
  return {
    ...draft,
    settings: { ...draft.settings, bos: draft.settings.bos ?? model.tokenizer.addBos },
    model: await describeModel(model, signal),
    engine: {
      name: "persimmon-lab",
      version: libraryVersion(),
      device: model.device.kind,
      kernel: model.device.instructionSet,
      ...(model.runtime.ranks > 1 && { ranks: model.runtime.ranks }),
    },
  };
}

export function libraryVersion(): string {
  return JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")).version;
}

export function originOf(
  model: string,
  data: EvalData,
  { subset }: Pick<CheckedOptions, "subset">,
): RunOrigin {
  return { model, data: data.source, split: data.split, subset: subset ?? null };
}

/** The items that are asked for, in the order of the data. */
export function selected(
  items: readonly EvalItem[],
  { limit, shard }: { limit?: number | undefined; shard?: Shard | undefined },
): EvalItem[] {
  const some = limited(items, limit);
  return shard === undefined ? some : inShard(some, shard);
}

/** Splits are looked up in a preset only where there are several to choose from. */
function presetOf({ preset, data, split, task }: CheckedQuestions): CheckedOptions["preset"] {
  if (preset !== undefined) return preset;
  const isList = data !== undefined && typeof data !== "string";
  const hasSplits = !isList && task.items === undefined && data !== "demo";
  return hasSplits && split === undefined && builtInNames.includes(task.name) ? "adept" : undefined;
}

/** The splits that the preset of a run names; undefined without one. Throws `PRESET_UNKNOWN`. */
function splitsOf(options: CheckedQuestions): PresetSplits | undefined {
  const preset = presetOf(options);
  return preset && presetSplits(preset, options.task.name, sourceOf(options));
}

async function readQuestions(options: CheckedQuestions, signal: AbortSignal): Promise<EvalData> {
  const split = options.split ?? splitsOf(options)?.questions;
  try {
    return await readItems(options.task, sourceOf(options), { split, subset: options.subset, signal });
  } catch (error) {
    if (!(error instanceof PersimmonError) || error.code !== "DATA_SPLIT_UNKNOWN") throw error;
    if (options.split !== undefined || options.preset !== undefined) throw error;
    // Nobody here has asked for it.
    const why = `The split "${split}" is that of the preset "${presetOf(options)}", which is the default: name the split of your data with \`split\` (--split)`;
    throw new PersimmonError(error.code, `${error.message} ${why}`, { cause: error });
  }
}

async function readShots(options: CheckedQuestions, data: EvalData, signal: AbortSignal): Promise<EvalData> {
  const source = sourceOf(options);
  // A split of one's own has its examples in itself, unless a preset is named as well.
  const split = options.shotSplit ?? splitsOf(options)?.shots ?? data.split;
  if (split === data.split || typeof source !== "string") return data;
  return readItems(options.task, source, { split, subset: options.subset, signal });
}

function sourceOf({ data, task }: CheckedQuestions): string | readonly EvalItem[] | undefined {
  return data ?? (task.items === undefined && builtInNames.includes(task.name) ? "hub" : undefined);
}

function recordOf({ split, sha256, items }: EvalData): DataRecord {
  return { split, sha256, items: items.length };
}

/** Whether the likelihood form takes an example: the built-in ones ask without, and have no parameter for it. */
function usesShot({ likelihood }: EvalTask): boolean {
  return likelihood !== undefined && likelihood.length > 1;
}

/** The text that is put to a model. */
export function askedOf(
  { task, switches, method }: Pick<CheckedOptions, "task" | "switches" | "method">,
  item: EvalItem,
  shot: EvalItem | undefined,
): Omit<Question, "ids"> {
  const likelihood = method === "likelihood" ? task.likelihood?.(item, shot, switches) : undefined;
  const prompt = likelihood?.context ?? task.prompt(item, shot, switches);
  return {
    item,
    shotId: shot?.id ?? null,
    prompt,
    promptSha256: sha256Of(prompt),
    ...(likelihood && { likelihood }),
  };
}

/** The ids of a prompt. Throws as `encodePrompt` does, naming the item. */
export function encode(model: LanguageModel, text: string, bos: boolean, item: EvalItem): readonly number[] {
  try {
    return model.encodePrompt(text, bos);
  } catch (error) {
    if (!(error instanceof PersimmonError)) throw error;
    throw new PersimmonError(error.code, `item "${item.id}": ${error.message}`, { cause: error });
  }
}
