import { readFile, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { expandHome } from "../../checkpoint/hub/cache.js";
import { checkOptionNames, PersimmonError } from "../../errors.js";
import { packageRoot } from "../../package_root.js";
import { sha256Of } from "../../sha256.js";
import type { EvalItem, EvalTask } from "../task.js";
import { chooseFiles, type SplitChoice } from "./choose_files.js";
import { type DataSet, dataSets } from "./data_set.js";
import { readRows } from "./file_rows.js";
import { type FoundFiles, hubFiles } from "./hub_files.js";
import { readId } from "./item_rows.js";
import { localFiles } from "./local_files.js";
import { type DataRow, show } from "./row.js";

export interface ReadItemsOptions {
  /**
   * `train`, `validation` (or `dev`, `val`), `test`; MMLU has `dev` beside `validation`. Default: the only one that there is.
   */
  split?: string;
  /**
   * MMLU: one subject. Winogrande: size of the train split, default `xl`. TriviaQA: `wikipedia` (default), `web` or
   * `unfiltered-web` of its own files. On the hub, for these two: the configuration, such as `unfiltered.nocontext`.
   */
  subset?: string;
  /** Ends a download. */
  signal?: AbortSignal;
}

/** Questions of one split, and what they were read from. */
export interface EvalData<Item extends EvalItem = EvalItem> {
  /** In the order of the files. */
  items: Item[];
  split: string;
  /** Where from, for a manifest: a path, `demo`, `hub:owner/name@commit`, or `items`. */
  source: string;
  /**
   * SHA-256 of the file; of several files, of the lines that `sha256sum` prints for them, sorted, with paths from
   * the source; of items from a cell, of their JSON.
   */
  sha256: string;
  files: { path: string; sha256: string }[];
}

/**
 * Reads the questions of a task, in the publishers' own formats or ours; files are recognised by their content, folders are
 * searched by the names that the publishers and we give to splits.
 *
 * @param source a file or a folder; `"demo"`, the bundled items; `"hub"` or `"hub:owner/name"`, a data set on the Hugging Face
 *   hub (downloaded once into its cache); a list of items; or undefined for a task that brings its items along
 * @throws PersimmonError DATA_MISSING, DATA_INVALID (file, line, what was expected and what is there), DATA_SPLIT_UNKNOWN,
 *   DATA_SUBSET_UNKNOWN, DATA_AMBIGUOUS, DATA_OPTIONS_INVALID, and those of a download (see `resolveCheckpoint`)
 */
export async function readItems<Item extends EvalItem>(
  task: EvalTask<Item>,
  source?: string | readonly Item[],
  options: ReadItemsOptions = {},
): Promise<EvalData<Item>> {
  checkOptionNames("readItems", options, ["split", "subset", "signal"]);
  const { split, subset, signal } = options;
  for (const [name, value] of Object.entries({ split, subset })) {
    if (value === undefined || (typeof value === "string" && value !== "")) continue;
    throw invalidOption(`${name} must be a text that is not empty, got ${show(value)}`);
  }
  const data = Object.hasOwn(dataSets, task.name) ? dataSets[task.name] : undefined;
  if (subset !== undefined && data?.subsets === undefined) {
    throw new PersimmonError(
      "DATA_SUBSET_UNKNOWN",
      `the data of ${task.name} has no subsets, got "${subset}".`,
    );
  }
  if (source === undefined && task.items === undefined) {
    throw invalidOption(
      `${task.name} brings no items along: give a path, ${data ? '"demo" or "hub"' : "or a list"}`,
    );
  }
  const given = source ?? task.items!;
  if (typeof given !== "string") return fromList(task, given, split);
  if (given === "")
    throw invalidOption('the source must be a path, "demo", "hub" or a list of items, got ""');
  const found = await findFiles(task.name, given, data, { split, subset }, signal);
  const { items, files } = await itemsOf(found, data, subset);
  return {
    items: items as Item[],
    split: found.split,
    source: found.source,
    sha256: digest(files, found),
    files,
  };
}

function invalidOption(message: string): PersimmonError {
  return new PersimmonError("DATA_OPTIONS_INVALID", `readItems: ${message}`);
}

async function findFiles(
  task: string,
  source: string,
  data: DataSet | undefined,
  choice: SplitChoice,
  signal: AbortSignal | undefined,
): Promise<FoundFiles> {
  if (source === "demo") return demoFile(task, data, choice);
  if (source === "hub" || source.startsWith("hub:")) {
    const name = source.slice("hub:".length) || undefined;
    return hubFiles(task, name, data, choice, signal);
  }
  const path = resolve(expandHome(source));
  const files = await localFiles(path, task, data);
  return { ...chooseFiles(files, choice, data, path), source: path, folder: path };
}

function demoFile(task: string, data: DataSet | undefined, choice: SplitChoice): FoundFiles {
  if (data?.demo === undefined) {
    const tasks = Object.keys(dataSets).filter((name) => dataSets[name].demo !== undefined);
    throw new PersimmonError(
      "DATA_MISSING",
      `there are no bundled items for ${task}; there are some for ${tasks.join(", ")}.`,
    );
  }
  const folder = join(packageRoot, "notebooks", "evals");
  const file = { path: join(folder, data.demo), split: "demo" };
  return { ...chooseFiles([file], choice, data, 'the source "demo"'), source: "demo", folder };
}

async function itemsOf(
  { files, split }: FoundFiles,
  data: DataSet | undefined,
  subset: string | undefined,
): Promise<{ items: EvalItem[]; files: EvalData["files"] }> {
  const items: EvalItem[] = [];
  const hashed: EvalData["files"] = [];
  const places = new Map<string, string>();
  const counts = new Map<string, number>();
  const wanted = data?.subsets === "subject" ? subset : undefined;
  for (const { path, subject } of files) {
    const bytes = await readDataFile(path);
    hashed.push({ path, sha256: sha256Of(bytes) });
    for (const row of await readRows(bytes, path, { csv: data?.csv ?? false, subject })) {
      // The place in the split, in MMLU among the rows of the subject.
      const group = typeof row.fields.subject === "string" ? `${row.fields.subject}/${split}` : split;
      const place = counts.get(group) ?? 0;
      counts.set(group, place + 1);
      const item = (data?.read ?? anyItem)(row, `${group}/${place}`);
      const earlier = places.get(item.id);
      if (earlier !== undefined) {
        throw row.invalid(`an id of its own, found "${item.id}", which ${earlier} has too`);
      }
      places.set(item.id, row.where);
      if (wanted === undefined || item.subject === wanted) items.push(item);
    }
  }
  if (items.length > 0) return { items, files: hashed };
  throw new PersimmonError(
    "DATA_SUBSET_UNKNOWN",
    `${files[0].path} has no questions of the subject "${wanted}".`,
  );
}

async function readDataFile(path: string): Promise<Buffer> {
  try {
    // A pipe would never end.
    if ((await stat(path)).isFile()) return await readFile(path);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new PersimmonError("DATA_MISSING", `${path}: cannot be read: ${reason}.`, { cause });
  }
  throw new PersimmonError("DATA_MISSING", `${path}: expected a file, found something else.`);
}

/** A row of a task of one's own: as it is, with its id. */
function anyItem(row: DataRow, fallbackId: string): EvalItem {
  return { ...row.fields, id: readId(row, ["id", "task_id"], fallbackId) };
}

function digest(files: EvalData["files"], { folder }: FoundFiles): string {
  if (files.length === 1) return files[0].sha256;
  const lines = files.map(({ path, sha256 }) => `${sha256}  ${relative(folder, path)}\n`);
  return sha256Of(lines.sort().join(""));
}

function fromList<Item extends EvalItem>(
  task: EvalTask<Item>,
  items: readonly Item[],
  split: string | undefined,
): EvalData<Item> {
  if (!Array.isArray(items) || items.length === 0) {
    throw invalidOption(`expected a list of items that is not empty, got ${show(items)}`);
  }
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    if (typeof item?.id !== "string" || item.id === "") {
      throw new PersimmonError(
        "DATA_INVALID",
        `${task.name}: items[${index}] needs an id, a text that is not empty.`,
      );
    }
    if (seen.has(item.id)) {
      throw new PersimmonError(
        "DATA_INVALID",
        `${task.name}: items[${index}] has the id "${item.id}", which items[${seen.get(item.id)}] has too.`,
      );
    }
    seen.set(item.id, index);
  }
  const sha256 = sha256Of(JSON.stringify(items));
  return { items: [...items], split: split ?? "items", source: "items", sha256, files: [] };
}
