/**
 * Compares the library with the results of random_checkpoints.py and prints a line for each configuration.
 *
 *     node scripts/reference/random_checkpoints.mjs DIRECTORY
 *
 * The library must have been built (`npm run build`). Ends with exit status 1 when anything differs.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel } from "persimmon-lab";

const directory = process.argv[2];
if (directory === undefined) {
  console.error(
    "usage: node scripts/reference/random_checkpoints.mjs DIRECTORY (made by random_checkpoints.py)",
  );
  process.exit(2);
}

/** The largest difference; Infinity where a length differs or a NaN stands. */
function largestDifference(found, wanted) {
  if (found.length !== wanted.length) return Number.POSITIVE_INFINITY;
  return wanted.reduce((most, value, i) => {
    const difference = Math.abs(found[i] - value);
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }, 0);
}

let failed = 0;
for (const name of readdirSync(directory).sort()) {
  const reference = JSON.parse(readFileSync(join(directory, name, "reference.json"), "utf8"));
  for (const dtype of ["auto", "float32"]) {
    const model = await loadModel(join(directory, name), { dtype });
    const { data, shape } = await model.logits(reference.promptIds);
    const kept = reference.positions.flatMap((row) => [
      ...data.subarray(row * shape[1], (row + 1) * shape[1]),
    ]);
    const logits = largestDifference(kept, reference.logits.flat());
    const scores = largestDifference(await model.logprobs(reference.promptIds), reference.promptLogprobs);
    const { ids, finish } = await model.generate(reference.promptIds, {
      maxNewTokens: reference.maxNewTokens,
    }).done;
    const same = ids.join() === reference.greedyIds.join();
    const passed = same && logits <= 5e-4 && scores <= 5e-4;
    if (!passed) failed++;
    console.log(
      `${passed ? "ok  " : "FAIL"} ${name.padEnd(40)} ${dtype.padEnd(8)} logits ${logits.toExponential(1)}  log-probabilities ${scores.toExponential(1)}  greedy ${same ? "exact" : "DIFFERENT"} (${ids.length}, ${finish})`,
    );
  }
}
console.log(failed === 0 ? "all agree" : `${failed} differ`);
process.exitCode = failed === 0 ? 0 : 1;
