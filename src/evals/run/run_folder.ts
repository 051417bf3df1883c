import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PersimmonError } from "../../errors.js";
import { FolderLock } from "./folder_lock.js";
import { attempt, Journal, readJournal } from "./journal.js";
import { expectSameManifest, fingerprintOf, type Manifest, manifestText, parseManifest } from "./manifest.js";
import { type ExecutionLine, isSample, type Sample, sampleKey, type TimingLine } from "./samples.js";
import type { RunSummary } from "./summary.js";

/** Where a run's model and data were found: for people and for `scoreRun`, no part of the fingerprint. */
export interface RunOrigin {
  model: string;
  /** As `readItems` takes it; "items" for a list from a cell. */
  data: string;
  split: string;
  subset: string | null;
}

/** What a folder holds. */
export interface StoredRun {
  folder: string;
  manifest: Manifest;
  fingerprint: string;
  origin: RunOrigin;
  samples: Sample[];
  executions: ExecutionLine[];
  timing: TimingLine[];
}

const names = {
  manifest: "manifest.json",
  origin: "origin.json",
  samples: "samples.jsonl",
  executions: "exec.jsonl",
  timing: "timing.jsonl",
  summary: "summary.json",
} as const;

/** A run folder that is being written, by this process alone. */
export class RunFolder implements Disposable {
  readonly samples: Journal<Sample>;
  readonly executions: Journal<ExecutionLine>;
  readonly timing: Journal<TimingLine>;
  /** What is open, the last first. */
  readonly #open: Disposable[] = [];

  /**
   * Opens a folder to write into: a new one, or one with a run of the same manifest, which is gone on with.
   * @throws PersimmonError RUN_MISMATCH, RUN_LOCKED, RUN_CORRUPT, RUN_FOLDER_INVALID, RUN_WRITE_FAILED
   */
  constructor(
    readonly folder: string,
    manifest: Manifest,
    origin: RunOrigin,
  ) {
    attempt(folder, () => mkdirSync(folder, { recursive: true }));
    this.#hold(new FolderLock(folder));
    try {
      const text = manifestText(manifest);
      const path = join(folder, names.manifest);
      if (existsSync(path)) {
        expectSameManifest(folder, readFileSync(path, "utf8"), text);
      } else {
        expectEmpty(folder);
        writeWhole(join(folder, names.origin), `${JSON.stringify(origin, null, 2)}\n`);
        writeWhole(path, text);
      }
      this.samples = this.#hold(Journal.open<Sample>(join(folder, names.samples)));
      checkSamples(this.samples.path, this.samples.rows, fingerprintOf(text));
      this.executions = this.#hold(Journal.open<ExecutionLine>(join(folder, names.executions)));
      this.timing = this.#hold(Journal.open<TimingLine>(join(folder, names.timing)));
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Throws `RUN_WRITE_FAILED`. */
  sync(): void {
    for (const journal of [this.samples, this.executions, this.timing]) journal.sync();
  }

  /** Written last, in one step. */
  writeSummary(summary: RunSummary): void {
    writeWhole(join(this.folder, names.summary), `${JSON.stringify(summary, null, 2)}\n`);
  }

  [Symbol.dispose](): void {
    for (const one of this.#open.splice(0)) one[Symbol.dispose]();
  }

  #hold<T extends Disposable>(one: T): T {
    this.#open.unshift(one);
    return one;
  }
}

/**
 * Reads a run, also one that is being written.
 * @throws PersimmonError RUN_MISSING, RUN_CORRUPT
 */
export function readRun(folder: string): StoredRun {
  const path = join(folder, names.manifest);
  if (typeof folder !== "string" || !existsSync(path)) {
    throw new PersimmonError(
      "RUN_MISSING",
      `${String(folder)} holds no run: expected a folder with ${names.manifest}, as runEval and \`persimmon eval\` write it`,
    );
  }
  const text = readFileSync(path, "utf8");
  const manifest = parseManifest(text, path);
  const fingerprint = fingerprintOf(text);
  const samples = readJournal<Sample>(join(folder, names.samples)).rows;
  checkSamples(join(folder, names.samples), samples, fingerprint);
  return {
    folder,
    manifest,
    fingerprint,
    origin: readOrigin(join(folder, names.origin)),
    samples,
    executions: readJournal<ExecutionLine>(join(folder, names.executions)).rows,
    timing: readJournal<TimingLine>(join(folder, names.timing)).rows,
  };
}

function readOrigin(path: string): RunOrigin {
  try {
    const origin = JSON.parse(readFileSync(path, "utf8")) as RunOrigin;
    const { model, data, split } = origin;
    if ([model, data, split].every((text) => typeof text === "string")) return origin;
    throw new Error("expected the names of a model, data and a split");
  } catch (cause) {
    throw new PersimmonError("RUN_CORRUPT", `${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Samples of another run, or one that is there twice, would be counted as if they were right. */
function checkSamples(path: string, samples: readonly Sample[], fingerprint: string): void {
  const seen = new Set<string>();
  for (const [index, sample] of samples.entries()) {
    const where = `${path}:${index + 1}`;
    if (!isSample(sample)) {
      throw new PersimmonError(
        "RUN_CORRUPT",
        `${where}: expected a sample with its id, its number and its text or log-probabilities, found ${JSON.stringify(sample).slice(0, 100)}: remove the line, and the run makes its sample again`,
      );
    }
    if (sample.fingerprint !== fingerprint) {
      throw new PersimmonError(
        "RUN_MISMATCH",
        `${where}: the sample of "${sample.id}" has the fingerprint ${sample.fingerprint}, but manifest.json here has ${fingerprint}: it belongs to another run`,
      );
    }
    const key = sampleKey(sample);
    if (seen.has(key)) {
      throw new PersimmonError("RUN_CORRUPT", `${where}: the sample of "${sample.id}" is there twice`);
    }
    seen.add(key);
  }
}

function expectEmpty(folder: string): void {
  // What a process that was killed before its manifest was whole has left.
  const ours = /^lock(\.|$)|^(manifest|origin)\.json(\.new)?$/;
  const other = readdirSync(folder).find((name) => !ours.test(name));
  if (other === undefined) return;
  throw new PersimmonError(
    "RUN_FOLDER_INVALID",
    `${folder} holds "${other}" and no ${names.manifest}: a run goes into a folder of its own, new or empty`,
  );
}

function writeWhole(path: string, text: string): void {
  attempt(path, () => {
    writeFileSync(`${path}.new`, text, { flush: true });
    renameSync(`${path}.new`, path);
  });
}
