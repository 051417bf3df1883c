import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Shares of squared ReLUs that are zero, as those who trained a checkpoint have measured them. */
export interface KnownSparsity {
  mean: number;
  layers: number[];
}

/** What training.json says (`held_out.zeros`, as `npm run demo-model` writes it); undefined where it says nothing of the kind. */
export function knownSparsity(training: unknown, layers: number): KnownSparsity | undefined {
  const zeros = (training as { held_out?: { zeros?: unknown } } | null | undefined)?.held_out?.zeros;
  const isShare = (value: unknown) => typeof value === "number" && value >= 0 && value <= 1;
  if (!Array.isArray(zeros) || zeros.length !== layers || !zeros.every(isShare)) return undefined;
  return { mean: zeros.reduce((sum: number, share: number) => sum + share, 0) / layers, layers: zeros };
}

/** training.json of a folder, whatever it is; undefined where there is none that can be read. */
export function trainingOf(directory: string): unknown {
  try {
    return JSON.parse(readFileSync(join(directory, "training.json"), "utf8"));
  } catch {
    return undefined;
  }
}
