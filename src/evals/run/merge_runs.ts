import { PersimmonError } from "../../errors.js";
import { expectSameManifest, manifestText } from "./manifest.js";
import { RunFolder, readRun } from "./run_folder.js";
import { sampleKey } from "./samples.js";

/**
 * Puts the shards of a run together: into a new folder, or one that holds a part of the same run already.
 * @param target folder of the whole run; `scoreRun` scores it, and `runEval` goes on with it
 * @param folders runs of the same manifest, with no sample twice
 * @returns how many samples the target has now
 * @throws PersimmonError RUN_MISSING, RUN_CORRUPT, RUN_MISMATCH, RUN_DUPLICATE (a sample is in two of them; nothing is written),
 *   RUN_LOCKED, RUN_FOLDER_INVALID, RUN_WRITE_FAILED
 */
export function mergeRuns(target: string, folders: readonly string[]): { samples: number } {
  if (!Array.isArray(folders) || folders.length === 0) {
    throw new PersimmonError("EVAL_OPTIONS_INVALID", "mergeRuns: give the folders of at least one run");
  }
  const runs = folders.map((folder) => readRun(folder));
  const [first] = runs;
  for (const run of runs) {
    expectSameManifest(first.folder, manifestText(first.manifest), manifestText(run.manifest));
  }
  using store = new RunFolder(target, first.manifest, first.origin);
  const places = new Map(store.samples.rows.map((sample) => [sampleKey(sample), target]));
  for (const { folder, samples } of runs) {
    for (const sample of samples) {
      const key = sampleKey(sample);
      const other = places.get(key);
      if (other !== undefined) {
        throw new PersimmonError(
          "RUN_DUPLICATE",
          `the sample of "${sample.id}" is in ${other} and in ${folder}: shards of one run have no item in common`,
        );
      }
      places.set(key, folder);
    }
  }
  for (const run of runs) {
    store.executions.append(...run.executions);
    store.timing.append(...run.timing);
    store.samples.append(...run.samples);
  }
  store.sync();
  return { samples: store.samples.rows.length };
}
