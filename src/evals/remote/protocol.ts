import type { LoadOptions } from "../../load_model.js";
import type { Manifest, ManifestDraft } from "../run/manifest.js";
import type { Sample } from "../run/samples.js";
import type { EvalItem } from "../task.js";

/**
 * What is said between who runs an evaluation and the kernels that make its samples. A kernel gets cells: one that sets it up
 * and then one for each batch. It answers with displays of a MIME type of its own, one for each part that is finished.
 * Questions are sent with their examples, so that a kernel needs the model and nothing else.
 */
export const protocolVersion = 2;

export const mimeType = "application/vnd.persimmon-lab.eval+json";

/** How a model is loaded, in what can be sent. */
export type RemoteLoadOptions = Omit<LoadOptions, "onProgress" | "onMemory" | "signal">;

export interface WorkerSetup {
  protocol: number;
  /** As `loadModel` takes it, on the kernel's machine; null: the bundled demo model. */
  model: string | null;
  load: RemoteLoadOptions;
  /** Kernels of the run on this machine, this one too: where `load` names no threads, they share its cores. */
  kernelsHere: number;
  draft: ManifestDraft;
}

/** Samples that are to be made of one item. */
export interface WorkerPiece {
  item: EvalItem;
  shot: EvalItem | null;
  /** Numbers of the samples, ascending. */
  samples: number[];
}

/** A sample without its prompt, which who asked has. */
export type SentSample = Omit<Sample, "prompt">;

export type WorkerMessage =
  | { kind: "ready"; protocol: number; manifest: Manifest; threads: number }
  | { kind: "samples"; samples: SentSample[]; prompt_tokens: number; generated_tokens: number }
  /** A `PersimmonError`: the same would be said wherever this is run. */
  | { kind: "error"; code: string; message: string };

const worker = "(globalThis as any).persimmonEvalWorker";

export function setupCell(setup: WorkerSetup): string {
  return `const library: any = await import("persimmon-lab");
if (typeof library.openEvalWorker !== "function") {
  throw new Error("the persimmon-lab of this kernel is too old to answer evaluations from elsewhere");
}
${worker} = await library.openEvalWorker(JSON.parse(${literal(setup)}));`;
}

export function batchCell(pieces: readonly WorkerPiece[]): string {
  return `await ${worker}.answer(JSON.parse(${literal(pieces)}));`;
}

/** JSON in a string: the compiler takes megabytes of text in its stride, but not of object literals. */
function literal(value: unknown): string {
  return JSON.stringify(JSON.stringify(value));
}
