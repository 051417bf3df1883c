import { progress } from "../display/progress.js";
import { checkOptionNames, PersimmonError } from "../errors.js";
import { interruptSignal, throwIfInterrupted } from "../host.js";
import type { LanguageModel, Prompt } from "../language_model.js";
import { optionChecks } from "../option_checks.js";
import { matchSites } from "../runtime/sites.js";
import * as ops from "../tensor/ops/index.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { tokenLabels } from "./answer.js";
import { LensCounts, LogitLens } from "./logit_lens_result.js";
import { observe, pickRows } from "./observe.js";
import { keptPositions } from "./run_with_cache.js";

export interface LogitLensOptions {
  /** Positions whose predictions are read: "all" (the default), "last", or those listed. */
  positions?: "all" | "last" | readonly number[];
  /** Tokens kept for each layer and position; 5. */
  topK?: number;
  /** Whether the prompt begins with the BOS token; default: as the tokenizer says. */
  bos?: boolean;
  signal?: AbortSignal;
  /** Show a progress bar; true. */
  progress?: boolean;
}

const optionNames = ["positions", "topK", "bos", "signal", "progress"] satisfies (keyof LogitLensOptions)[];

/** Bytes of logits that are in memory at once. */
const logitBytes = 64e6;

/**
 * Reads the residual stream after every layer as if it were the last: through the model's own final LayerNorm and head
 * (nostalgebraist 2020, "interpreting GPT: the logit lens"). The first row is the embedding. Layers × positions × vocabulary
 * is never held; edits in force act on the residual stream that is read.
 * @throws PersimmonError LENS_OPTIONS_INVALID, CACHE_OPTIONS_INVALID for a position outside of the prompt, OPTION_UNKNOWN
 */
export async function logitLens(
  model: LanguageModel,
  prompt: Prompt,
  options: LogitLensOptions = {},
): Promise<LogitLens> {
  checkOptionNames("logitLens", options, optionNames);
  const ids = model.encodePrompt(prompt, options.bos);
  const { vocabSize } = model.config;
  const { topK = 5 } = options;
  const invalid = (message: string) => new PersimmonError("LENS_OPTIONS_INVALID", message);
  optionChecks(invalid).whole("logitLens: topK", topK, 1, vocabSize);
  const positions = keptPositions(options.positions, ids.length, "logitLens: positions");
  if (positions.length === 0) {
    throw new PersimmonError("LENS_OPTIONS_INVALID", "logitLens: positions must name at least one");
  }
  const sites = matchSites(model.config, ["embed.out", "layers.*.out"]);
  const counts = new LensCounts(sites.length, positions.length, topK);
  const rowsAtOnce = Math.max(1, Math.floor(logitBytes / (4 * vocabSize)));
  const signal = interruptSignal(options.signal);
  const total = sites.length * positions.length;
  using bar =
    options.progress === false ? undefined : progress({ total, label: "Logit lens", unit: "predictions" });
  using sequence = model.kv.createSequence();
  // What comes after the last position cannot change it.
  const read = ids.slice(0, Math.max(...positions) + 1);
  for (let start = 0; start < read.length; start += rowsAtOnce) {
    throwIfInterrupted(signal);
    const chunk = read.slice(start, start + rowsAtOnce);
    using pass = await observe(model.runtime, sequence, chunk, sites, { logits: "all", signal });
    const columns = [...positions.keys()].filter(
      (column) => positions[column] >= start && positions[column] < start + chunk.length,
    );
    if (columns.length === 0) continue;
    const rows = columns.map((column) => positions[column] - start);
    const predictions = await finalPredictions(pass.logits, rows);
    for (const [index, column] of columns.entries()) counts.prediction[column] = predictions[index];
    for (const [layer, site] of sites.entries()) {
      throwIfInterrupted(signal);
      using x = pickRows(pass.at(site), rows);
      await readThrough(model, x, layer, columns, counts);
      bar?.advance(columns.length);
    }
  }
  return new LogitLens({
    model,
    sites,
    positions,
    tokens: tokenLabels(
      model,
      positions.map((position) => ids[position]),
    ),
    counts,
  });
}

async function finalPredictions(logits: Tensor, rows: readonly number[]): Promise<Int32Array> {
  using best = ops.argmax(logits);
  const all = await best.integers();
  return Int32Array.from(rows, (row) => all[row]);
}

async function readThrough(
  model: LanguageModel,
  x: Tensor,
  layer: number,
  columns: readonly number[],
  counts: LensCounts,
): Promise<void> {
  using scores = scope(() => ops.logSoftmax(model.lmHead.call(model.finalLayernorm.call(x))));
  const data = await scores.data();
  const width = data.length / columns.length;
  for (const [row, column] of columns.entries()) {
    counts.put(layer, column, data.subarray(row * width, (row + 1) * width));
  }
}
