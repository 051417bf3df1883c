import { createHash } from "node:crypto";
import { relative } from "node:path";
import { openCheckpoint, resolveCheckpoint } from "../../checkpoint/index.js";
import { PersimmonError } from "../../errors.js";
import { throwIfInterrupted } from "../../host.js";
import type { LanguageModel } from "../../language_model.js";
import { Attention } from "../../model/attention.js";
import { DecoderLayer } from "../../model/decoder_layer.js";
import { MLP } from "../../model/mlp.js";
import { Embedding } from "../../nn/embedding.js";
import { LayerNorm } from "../../nn/layer_norm.js";
import { Linear } from "../../nn/linear.js";
import { Module } from "../../nn/module.js";
import { InputSplitLinear, OutputSplitHead, SplitEmbedding } from "../../parallel/modules.js";
import type { Intervention, Phase } from "../../runtime/interventions.js";
import type { Site } from "../../runtime/sites.js";
import { sha256Of } from "../../sha256.js";
import { fileHash } from "./file_hash.js";
import type { ModelRecord } from "./manifest.js";

/** Says what a model is, as it is now. It runs the model on a few tokens, which watches and counters in force see. */
export async function describeModel(model: LanguageModel, signal: AbortSignal): Promise<ModelRecord> {
  // A research tool that runs at the same time has edits of its own in force, which are none of this run.
  const interventions = await model.runtime.betweenPasses(() => interventionsOf(model), signal);
  return {
    sha256: await hashOfFiles(model.source, signal),
    dtype: model.dtype,
    layers: model.config.numHiddenLayers,
    hidden: model.config.hiddenSize,
    changed: { modules: foreignModules(model), interventions },
    logits_sha256: await hashOfLogits(model, signal),
  };
}

/**
 * SHA-256 of the lines `sha256  name` (as `sha256sum` prints them, sorted by name) of the weight files and config.json; null
 * where the model was not loaded from files.
 */
async function hashOfFiles(source: string, signal: AbortSignal): Promise<string | null> {
  let files: string[];
  let directory: string;
  try {
    directory = await resolveCheckpoint(source);
    const { tensors } = await openCheckpoint(directory);
    const weights = [...tensors.values()].flatMap(({ file, scale }) => [file, scale?.file ?? file]);
    files = [...new Set([...weights, `${directory}/config.json`])];
  } catch (error) {
    // Random weights have a name and no files; a model whose files were moved still runs.
    if (error instanceof PersimmonError) return null;
    throw error;
  }
  const lines: string[] = [];
  for (const file of files) {
    throwIfInterrupted(signal);
    lines.push(`${await fileHash(file, signal)}  ${relative(directory, file)}\n`);
  }
  const byName = (line: string) => line.slice(66);
  lines.sort((a, b) => (byName(a) < byName(b) ? -1 : 1));
  return createHash("sha256").update(lines.join("")).digest("hex");
}

const ownClasses: readonly unknown[] = [
  ...[DecoderLayer, Attention, MLP, Embedding, LayerNorm, Linear],
  // Of a model that is split over ranks, which `engine.ranks` of the manifest tells.
  ...[SplitEmbedding, InputSplitLinear, OutputSplitHead],
];

/** Modules that someone put in, such as `layers.3.mlp: MyMlp 3f5c0a91be27`; what they hold is theirs. */
function foreignModules(model: LanguageModel): string[] {
  const found: string[] = [];
  const visit = (module: object, path: string): void => {
    for (const [name, value] of Object.entries(module)) {
      const children = Array.isArray(value) ? value : [value];
      for (const [index, child] of children.entries()) {
        if (!(child instanceof Module)) continue;
        const place = [path, name, ...(Array.isArray(value) ? [index] : [])].filter((part) => part !== "");
        if (ownClasses.includes(child.constructor)) visit(child, place.join("."));
        else found.push(`${place.join(".")}: ${classText(child)}`);
      }
    }
  };
  visit(model, "");
  return found;
}

/**
 * The name of a class with the first 12 digits of the SHA-256 of its source and, in brackets, its own numbers and texts: such as
 * `Scaled 3f5c0a91be27 { factor: 2 }`.
 */
function classText(module: Module): string {
  const plain = Object.entries(module).filter(([, value]) =>
    ["number", "string", "boolean"].includes(typeof value),
  );
  const settings = plain.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(", ");
  const source = sha256Of(String(module.constructor)).slice(0, 12);
  return `${module.constructor.name || "a class"} ${source}${settings === "" ? "" : ` { ${settings} }`}`;
}

/**
 * Such as `edit layers.3.attn.z (prefill, decode): set 0, heads 1 4`: by site, and those of a site in the order in which they
 * work.
 */
function interventionsOf(model: LanguageModel): string[] {
  const found = new Map<Intervention, Map<string, Phase[]>>();
  for (const phase of ["prefill", "decode"] as const) {
    for (const [site, list] of model.runtime.interventions.at(phase)) {
      for (const one of list) {
        const sites = found.get(one) ?? new Map<string, Phase[]>();
        sites.set(site, [...(sites.get(site) ?? []), phase]);
        found.set(one, sites);
      }
    }
  }
  const lines = [...found].flatMap(([{ kind, describe }, sites]) =>
    [...sites].map(([site, phases]) => {
      const what = describe === undefined ? "" : `: ${describe(site as Site)}`;
      return { site, text: `${kind} ${site} (${phases.join(", ")})${what}` };
    }),
  );
  // A stable sort: what works first at a site comes first.
  return lines.sort((a, b) => (a.site < b.site ? -1 : a.site > b.site ? 1 : 0)).map(({ text }) => text);
}

const probeTokens = 12;

/** Logits of a prompt and of one more token, since edits may be in force in one phase only. */
async function hashOfLogits(model: LanguageModel, signal: AbortSignal): Promise<string> {
  const { vocabSize } = model.config;
  const count = Math.min(probeTokens, model.maxLength - 1);
  const ids = Array.from({ length: count + 1 }, (_, index) => (7919 * (index + 1)) % vocabSize);
  const hash = createHash("sha256");
  using sequence = model.kv.createSequence();
  const passes = [
    { ids: ids.slice(0, count), step: 0 },
    { ids: ids.slice(count), step: 1 },
  ];
  for (const pass of passes.filter((one) => one.ids.length > 0)) {
    const entry = { sequence, ids: pass.ids, logits: "all" as const };
    using logits = await model.runtime.forward([entry], { step: pass.step, capture: false, signal });
    const data = await logits.data();
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
