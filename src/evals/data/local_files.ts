import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { kindOf } from "../../checkpoint/file.js";
import { nameList } from "../../checkpoint/name_list.js";
import { PersimmonError } from "../../errors.js";
import type { DataSet } from "./data_set.js";
import { splitName } from "./splits.js";

/** A file that holds questions, as far as its name says. */
export interface DataFile {
  path: string;
  /** In the spelling of `splitName`; the name without its ending where no split is in it. */
  split: string;
  subset?: string;
  subject?: string;
}

const ours = /^(?<split>train|validation|valid|val|dev|test)([-_.].+)?\.(jsonl|json|csv|parquet)(\.gz)?$/i;
const anyData = /\.(jsonl|json|csv|parquet)(\.gz)?$/i;
const deepest = 4;

/**
 * The files of a task at a path: the file itself, or those in the folder, or in the nearest of its folders that are known to
 * hold such files. Names are the publishers', ours (`validation.jsonl`), or, where the folder has one data file only, any.
 * @throws PersimmonError DATA_MISSING
 */
export async function localFiles(path: string, task: string, data: DataSet | undefined): Promise<DataFile[]> {
  const kind = await kindOf(path);
  if (kind === undefined) {
    throw new PersimmonError(
      "DATA_MISSING",
      `${task}: there is nothing at ${path}. Give a data file, its folder, "demo" or "hub".`,
    );
  }
  if (kind === "file") {
    if (isOther(path, data)) {
      throw new PersimmonError(
        "DATA_MISSING",
        `${task}: by its name ${path} is another data set. Give one of this task.`,
      );
    }
    return [fileOf(path, data) ?? unnamed(path)];
  }
  let folders = [path];
  for (let depth = 0; depth < deepest && folders.length > 0; depth++) {
    const found: DataFile[] = [];
    const deeper: string[] = [];
    for (const folder of folders) {
      for (const entry of await entriesOf(folder)) {
        const inside = join(folder, entry.name);
        if (entry.isDirectory()) {
          if (data?.folders.test(entry.name)) deeper.push(inside);
        } else {
          const file = fileOf(inside, data);
          if (file !== undefined) found.push(file);
        }
      }
    }
    if (found.length > 0) return found;
    folders = deeper;
  }
  return [await onlyFile(path, task, data)];
}

async function entriesOf(folder: string) {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: Error) => {
    throw new PersimmonError("DATA_MISSING", `${folder}: cannot be read: ${cause.message}.`, { cause });
  });
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function fileOf(path: string, data: DataSet | undefined): DataFile | undefined {
  const name = basename(path);
  if (isOther(path, data)) return undefined;
  const groups = (data?.file.exec(name) ?? ours.exec(name))?.groups;
  if (groups === undefined) return undefined;
  const { split, subset, subject } = groups;
  return {
    path,
    // HumanEval's file has no split in its name; it is the only one, which the hub calls test.
    split: splitName(split || "test", data?.hasDevSplit ?? false),
    ...(subset && { subset: subset.toLowerCase() }),
    ...(subject && { subject }),
  };
}

/** Whether the names of a file and its folder say that it is of a data set that this one could be mistaken for. */
function isOther(path: string, data: DataSet | undefined): boolean {
  return data?.other?.test(`${basename(dirname(path))}/${basename(path)}`) ?? false;
}

function unnamed(path: string): DataFile {
  return { path, split: basename(path).replace(anyData, "") };
}

async function onlyFile(folder: string, task: string, data: DataSet | undefined): Promise<DataFile> {
  const names = (await entriesOf(folder)).map((entry) => entry.name);
  const files = names.filter((name) => anyData.test(name) && !isOther(join(folder, name), data));
  if (files.length === 1) return unnamed(join(folder, files[0]));
  const found = names.length === 0 ? "nothing" : nameList(names);
  throw new PersimmonError(
    "DATA_MISSING",
    `${task}: expected files with the publishers' names or such as validation.jsonl in ${folder}, found ${found}. ` +
      "Give the path of the file itself.",
  );
}
