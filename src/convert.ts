import { lstat, mkdir, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { type Checkpoint, openCheckpoint, resolveCheckpoint, storedElements } from "./checkpoint/index.js";
import { specialTokenIds, tokenizerOf } from "./checkpoint_tokenizer.js";
import { copyCompanions, newConfig } from "./convert/companions.js";
import { checkSpace, writeFailure } from "./convert/disk.js";
import { Journal } from "./convert/journal.js";
import { verifyRelease } from "./convert/known_releases.js";
import { conversionOf, type IdRange } from "./convert/outputs.js";
import { checkUnusedRows, PERSIMMON_UNUSED } from "./convert/unused_rows.js";
import { verifyNumbers } from "./convert/verify_numbers.js";
import {
  digestOf,
  planWeights,
  verifyBytes,
  type WeightsPlan,
  writeWeights,
} from "./convert/write_weights.js";
import { checkOptionNames, PersimmonError } from "./errors.js";
import { describeHolder, ProcessLock } from "./process_lock.js";
import { isWeightDType, type WeightDType } from "./runtime/load_weights.js";
import { Device } from "./tensor/device.js";

export interface ConvertOptions {
  /** The type of the weights in the new checkpoint; see `loadModel`'s `dtype`. */
  to: WeightDType;
  /** Threads of the CPU; default: as many as the process may use. */
  threads?: number;
  /**
   * Leaves out the rows of ids that no text has, `first` to `end` (exclusive); true: 3 to 70003, those of Persimmon-8B. Ids stay what
   * they are; config.json says `dropped_token_ids`. They are left out only when the tokenizer never makes them and the
   * rows are near-constant; false.
   */
  dropUnusedRows?: boolean | IdRange;
  /** Reads the source, a .tar, once more beforehand and checks that it is one of Adept's archives; false. */
  verify?: boolean;
  onProgress?: (progress: {
    stage: "download" | "checksum" | "weights" | "verify";
    loaded: number;
    total: number;
  }) => void;
  /** Called with a sentence on what was found: the archive that the source is, and what was measured on unused rows. */
  onNote?: (text: string) => void;
  /** Ends the conversion; what is done is kept for the next run. */
  signal?: AbortSignal;
}

/**
 * Writes a checkpoint with its weights in another type: config.json, one model.safetensors, and the tokenizer. The source is read
 * by blocks of rows, once, and never mapped, so that memory stays the same whatever its size. The new folder appears by one
 * rename, when everything in it was read again and compared. Until then it is made in `<directory>.converting`, which stays when the
 * conversion is interrupted or fails for want of space: the same call then goes on where it was, with the same bytes in the end.
 *
 * Of int8, `X.weight` is int8 and `X.weight_scale` float32 [rows, 1]; of int4, `X.weight_packed` is int32 [rows, columns / 8]
 * and `X.weight_scale` bfloat16 [rows, columns / 32]. Norms and biases keep their type (float16 becomes float32).
 * Such a checkpoint can be converted back, to the rounded numbers.
 * @param source all that `loadModel` takes: a folder, the .tar of Adept's release, or a name on the Hugging Face hub
 * @param directory a folder that does not exist yet, in one that does
 * @returns bytes of the weights
 * @throws PersimmonError CHECKPOINT_EXISTS, CHECKPOINT_UNWRITABLE, DISK_FULL, CONVERSION_OTHER (what is in `<directory>.converting`
 *   is of another conversion), CONVERSION_RUNNING, CONVERSION_CORRUPT, CONVERSION_INEXACT, WEIGHT_NOT_FINITE, ROWS_IN_USE, RELEASE_UNKNOWN, INTERRUPTED,
 *   OPTION_UNKNOWN, OPTION_INVALID, DTYPE_UNSUPPORTED, THREADS_INVALID, and what opening a checkpoint throws
 */
export async function convertCheckpoint(
  source: string,
  directory: string,
  options: ConvertOptions,
): Promise<number> {
  checkArguments(source, directory, options);
  const { signal, onProgress } = options;
  const device = Device.cpu(options.threads);
  const target = resolve(directory);
  await checkAbsent(target);
  const work = workFolder(target);
  try {
    signal?.throwIfAborted();
    const from = await resolveCheckpoint(source, {
      onProgress: ({ bytes, totalBytes }) =>
        onProgress?.({ stage: "download", loaded: bytes, total: totalBytes }),
      ...(signal !== undefined && { signal }),
    });
    if (options.verify) {
      const report = (loaded: number, total: number) => onProgress?.({ stage: "checksum", loaded, total });
      const name = await verifyRelease(from, signal, report);
      options.onNote?.(`${from} is Adept's ${name}`);
    }
    const checkpoint = await openCheckpoint(from);
    return await convert(checkpoint, target, work, device, options);
  } catch (error) {
    if (!signal?.aborted) throw error;
    throw new PersimmonError("INTERRUPTED", `the conversion was interrupted; ${await keptIn(work)}`, {
      cause: error,
    });
  }
}

function workFolder(target: string): string {
  return `${target}.converting`;
}

async function keptIn(work: string): Promise<string> {
  const kept = (await stat(work).catch(() => undefined)) !== undefined;
  return kept
    ? `what is done is kept in ${work}: run it again to go on, or remove that folder`
    : "nothing was written";
}

async function convert(
  checkpoint: Checkpoint,
  target: string,
  work: string,
  device: Device,
  options: ConvertOptions,
): Promise<number> {
  const { to, signal } = options;
  const tokenizer = await tokenizerOf(checkpoint);
  const ids = specialTokenIds(checkpoint, tokenizer);
  const dropped = droppedRange(options.dropUnusedRows);
  if (dropped !== undefined) {
    const named = [ids.bosTokenId, ...ids.eosTokenIds, tokenizer?.bosId, tokenizer?.endOfTextId];
    const special = named.filter((id) => id !== undefined);
    const found = await checkUnusedRows(checkpoint, tokenizer, special, dropped, device, signal);
    for (const line of found) options.onNote?.(line);
  }
  const conversions = [...checkpoint.tensors.values()].map((tensor) => conversionOf(tensor, to, dropped));
  const stored = dropped ?? checkpoint.config.droppedTokenIds;
  const made = join(work, "checkpoint");
  const metadata = { format: "pt", ...(stored && { dropped_token_ids: JSON.stringify(stored) }) };
  const plan = planWeights(join(made, "model.safetensors"), conversions, metadata);
  const identity = JSON.stringify({
    conversion: 1,
    to,
    layout: digestOf(plan),
    source: await sourceFiles(checkpoint),
  });
  try {
    const { journal, lock } = await begin(work, made, identity);
    using _ = lock;
    try {
      await checkSpace(plan.path, plan.layout.size);
      await writeFile(
        join(made, "config.json"),
        `${JSON.stringify(newConfig(checkpoint, to, ids, dropped), null, 2)}\n`,
      );
      await copyCompanions(checkpoint, made);
      await writeAndVerify(plan, journal, made, device, options);
    } finally {
      await journal.close();
    }
    await publish(made, target, work);
  } catch (error) {
    throw await afterFailure(error, target, work, signal);
  }
  return bytesOfWeights(plan);
}

async function writeAndVerify(
  plan: WeightsPlan,
  journal: Journal,
  made: string,
  device: Device,
  { to, signal, onProgress }: ConvertOptions,
): Promise<void> {
  const report = (stage: "weights" | "verify") => (loaded: number, total: number) =>
    onProgress?.({ stage, loaded, total });
  await writeWeights(plan, journal, device, to, signal, report("weights"));
  await verifyBytes(plan, journal, signal, report("verify"));
  await verifyNumbers(plan.conversions, await openCheckpoint(made), device, signal);
  signal?.throwIfAborted();
}

/** What is to be said of a failure; what nobody can go on with is removed. */
async function afterFailure(
  error: unknown,
  target: string,
  work: string,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  if (signal?.aborted) return error;
  if (error instanceof PersimmonError) {
    const keep = ["DISK_FULL", "CONVERSION_OTHER", "CONVERSION_RUNNING", "CONVERSION_CORRUPT"].includes(
      error.code,
    );
    if (!keep) await rm(work, { recursive: true, force: true });
    return error;
  }
  return writeFailure(error, target, `Of the conversion, ${await keptIn(work)}.`);
}

/** The folder where the new checkpoint is made, new or that of a run that ended before its time. One process at a time has it. */
async function begin(
  work: string,
  made: string,
  identity: string,
): Promise<{ journal: Journal; lock: ProcessLock }> {
  await mkdir(work).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  const lock = lockFolder(work);
  try {
    const names = (await readdir(work)).filter((name) => !name.startsWith(LOCK));
    if (names.length > 0 && !names.includes("journal")) throw otherConversion(work);
    const journal = await Journal.open(join(work, "journal"), identity);
    if (journal === undefined) throw otherConversion(work);
    await mkdir(made, { recursive: true });
    return { journal, lock };
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
}

const LOCK = "lock";

function lockFolder(work: string): ProcessLock {
  const taken = ProcessLock.take(join(work, LOCK));
  if (taken instanceof ProcessLock) return taken;
  throw new PersimmonError(
    "CONVERSION_RUNNING",
    `${describeHolder(taken.holder)} is converting in ${work}: wait until it has ended. If it is no more, remove ${join(work, LOCK)} and run it again.`,
  );
}

function otherConversion(work: string): PersimmonError {
  return new PersimmonError(
    "CONVERSION_OTHER",
    `${work} is in the way: it holds something else, or a conversion of another source or type, or of one that was changed since. Remove it, or convert to another folder.`,
  );
}

/** Everything reaches the disk before the folder gets its name, and the name before the journal goes. */
async function publish(made: string, target: string, work: string): Promise<void> {
  for (const name of await readdir(made)) await synchronize(join(made, name));
  await synchronize(made);
  await checkAbsent(target);
  await rename(made, target);
  await synchronize(dirname(target));
  await rm(work, { recursive: true, force: true });
}

async function synchronize(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What the weights are read from: another file, or a changed one, makes another conversion. */
async function sourceFiles({ tensors }: Checkpoint): Promise<[string, number, number][]> {
  const paths = new Set<string>();
  for (const tensor of tensors.values()) {
    const stored = storedElements(tensor);
    for (const { file } of [stored, ...(stored.parts ?? []), ...(tensor.scale ? [tensor.scale] : [])])
      paths.add(file);
  }
  const found = [...paths].sort().map(async (path): Promise<[string, number, number]> => {
    const { size, mtimeMs } = await stat(path);
    return [basename(path), size, mtimeMs];
  });
  return Promise.all(found);
}

function bytesOfWeights({ conversions }: WeightsPlan): number {
  const outputs = conversions.flatMap(({ outputs, rows }) => outputs.map(({ rowBytes }) => rowBytes * rows));
  return outputs.reduce((sum, bytes) => sum + bytes, 0);
}

function droppedRange(option: ConvertOptions["dropUnusedRows"]): IdRange | undefined {
  if (option === undefined || option === false) return undefined;
  return option === true ? PERSIMMON_UNUSED : option;
}

function checkArguments(source: unknown, directory: unknown, options: ConvertOptions): void {
  if (
    typeof source !== "string" ||
    typeof directory !== "string" ||
    typeof options !== "object" ||
    !options
  ) {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      'convertCheckpoint takes a folder or hub name, a new folder and options, such as { to: "int8" }',
    );
  }
  const known = [
    "to",
    "threads",
    "dropUnusedRows",
    "verify",
    "onProgress",
    "onNote",
    "signal",
  ] satisfies (keyof ConvertOptions)[];
  checkOptionNames("convertCheckpoint", options, known);
  const { to, dropUnusedRows: rows } = options;
  if (!isWeightDType(to)) {
    throw new PersimmonError(
      "DTYPE_UNSUPPORTED",
      `a checkpoint is converted to "float32", "bfloat16", "int8" or "int4", got ${JSON.stringify(to)}`,
    );
  }
  if (rows === undefined || typeof rows === "boolean" || (Array.isArray(rows) && rows.length === 2)) return;
  throw new PersimmonError(
    "OPTION_INVALID",
    `dropUnusedRows must be true, false or [first, end], got ${JSON.stringify(rows)}`,
  );
}

async function checkAbsent(target: string): Promise<void> {
  const found = await lstat(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw writeFailure(error, target, "");
  });
  if (found === undefined) return;
  throw new PersimmonError(
    "CHECKPOINT_EXISTS",
    `${target} exists already: give a folder that does not, or remove it`,
  );
}
