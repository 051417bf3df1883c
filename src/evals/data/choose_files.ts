import { PersimmonError } from "../../errors.js";
import type { DataSet } from "./data_set.js";
import type { DataFile } from "./local_files.js";
import { splitName } from "./splits.js";

/** What `readItems` is asked for. */
export interface SplitChoice {
  split: string | undefined;
  subset: string | undefined;
}

/**
 * Those of the files that hold a split.
 * @param where for errors: where the files were found
 * @throws PersimmonError DATA_SPLIT_UNKNOWN, DATA_SUBSET_UNKNOWN, DATA_AMBIGUOUS
 */
export function chooseFiles(
  files: readonly DataFile[],
  choice: SplitChoice,
  data: DataSet | undefined,
  where: string,
): { split: string; files: DataFile[] } {
  const splits = [...new Set(files.map((file) => file.split))].sort();
  const asked = choice.split === undefined ? undefined : splitName(choice.split, data?.hasDevSplit ?? false);
  const split = splits.find((one) => one === asked || one.toLowerCase() === asked);
  const chosen = asked === undefined && splits.length === 1 ? splits[0] : split;
  if (chosen === undefined) {
    const problem = asked === undefined ? "holds several splits" : `has no split "${choice.split}"`;
    throw new PersimmonError(
      "DATA_SPLIT_UNKNOWN",
      `${where} ${problem}; choose one of ${splits.join(", ")}.`,
    );
  }
  const all = files.filter((file) => file.split === chosen);
  const some = chooseSubset(all, choice.subset, data, where);
  const parts = some.every(
    (file) => file.subject !== undefined || /-\d+-of-\d+|\d+\.parquet$/.test(file.path),
  );
  if (some.length === 1 || parts) return { split: chosen, files: some };
  const paths = some.map((file) => file.path).join(", ");
  throw new PersimmonError(
    "DATA_AMBIGUOUS",
    `${where}: several files may be the split "${chosen}": ${paths}. Give the path of the one that is meant.`,
  );
}

function chooseSubset(
  files: readonly DataFile[],
  subset: string | undefined,
  data: DataSet | undefined,
  where: string,
): DataFile[] {
  // A subject is chosen among the rows where the files are not by subject.
  const key = data?.subsets === "subject" ? "subject" : "subset";
  const named = files.filter((file) => file[key] !== undefined);
  if (named.length === 0) return [...files];
  const wanted = subset ?? (key === "subset" ? data?.defaultSubset : undefined);
  if (wanted === undefined) return [...files];
  const found = named.filter((file) => file[key]?.toLowerCase() === wanted.toLowerCase());
  if (found.length > 0) return found;
  if (subset === undefined) return [...files];
  const names = [...new Set(named.map((file) => file[key]))].join(", ");
  throw new PersimmonError("DATA_SUBSET_UNKNOWN", `${where} has no subset "${subset}"; there are ${names}.`);
}
