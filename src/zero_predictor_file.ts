import { readJsonFile } from "./checkpoint/file.js";
import { PersimmonError, valueText } from "./errors.js";
import { type LayerPredictor, ZeroPredictor } from "./research/zero_predictor.js";
import { writeWhole } from "./write_whole.js";

const FORMAT = "persimmon-zero-predictor";
const VERSION = 1;

/** Writes a predictor as JSON, in one step: a reader finds all of it or what was there before. Throws `ARGUMENT_INVALID`, `FILE_UNWRITABLE`. */
export async function saveZeroPredictor(predictor: ZeroPredictor, path: string): Promise<void> {
  if (!(predictor instanceof ZeroPredictor) || typeof path !== "string") {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      `saveZeroPredictor takes what predictZeros gives and the path of a file, got ${valueText(predictor)} and ${valueText(path)}`,
    );
  }
  const { weights, recall, layers, tokens } = predictor;
  const text = JSON.stringify({ format: FORMAT, version: VERSION, weights, recall, tokens, layers }, null, 2);
  try {
    await writeWhole(path, `${text}\n`);
  } catch (cause) {
    throw new PersimmonError("FILE_UNWRITABLE", `${path}: cannot be written: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * Reads a predictor.
 * @throws PersimmonError ARGUMENT_INVALID, ZERO_PREDICTOR_INVALID, CHECKPOINT_UNREADABLE
 */
export async function loadZeroPredictor(path: string): Promise<ZeroPredictor> {
  if (typeof path !== "string") {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      `loadZeroPredictor takes the path of a file that saveZeroPredictor wrote, got ${valueText(path)}`,
    );
  }
  const json = await readJsonFile(path, "ZERO_PREDICTOR_INVALID", 2 ** 20);
  const refuse = (what: string) => new PersimmonError("ZERO_PREDICTOR_INVALID", `${path}: ${what}`);
  const found = (typeof json === "object" && json !== null ? json : {}) as Record<string, unknown>;
  if (found.format !== FORMAT || found.version !== VERSION) {
    throw refuse(
      `expected a zero predictor (format "${FORMAT}", version ${VERSION}), found format ${JSON.stringify(found.format)}, version ${JSON.stringify(found.version)}`,
    );
  }
  const { weights, recall, tokens, layers } = found as unknown as ZeroPredictor;
  if (typeof weights !== "string" || !/^[0-9a-f]{64}$/.test(weights))
    throw refuse("weights must be a SHA-256");
  if (!isShare(recall)) throw refuse(`recall must be from 0 to 1, found ${JSON.stringify(recall)}`);
  if (!Number.isSafeInteger(tokens?.chosen) || !Number.isSafeInteger(tokens?.judged))
    throw refuse("tokens must have the whole numbers chosen and judged");
  if (!Array.isArray(layers) || layers.length === 0) throw refuse("layers must be a list with at least one");
  layers.forEach((layer: Partial<LayerPredictor> | null, n) => {
    if (Number.isFinite(layer?.threshold) && isShare(layer?.recall) && isShare(layer?.density)) return;
    throw refuse(
      `layer ${n} must have a finite threshold and recall and density from 0 to 1, found ${JSON.stringify(layer)}`,
    );
  });
  return new ZeroPredictor({ weights, recall, layers, tokens });
}

function isShare(value: unknown): boolean {
  return typeof value === "number" && value >= 0 && value <= 1;
}
