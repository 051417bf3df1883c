import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "./paths.mjs";
import { step } from "./progress.mjs";

/**
 * Makes the startup snapshot of the kernel's compiler when it is missing or out of date. The kernel works without it,
 * only its first cell comes a second later; so a Node that cannot make one is no failure.
 */
export async function ensureSnapshot() {
  const file = join(root, "dist", "kernel", "language", "snapshot.js");
  const { makeSnapshot, snapshotFile } = await import(pathToFileURL(file).href);
  if (snapshotFile(root) !== undefined) {
    return;
  }
  await step("making the startup snapshot of the kernel's compiler", async () => {
    const reason = await makeSnapshot(root);
    if (reason !== undefined) {
      process.stderr.write(`no startup snapshot (the first cell will take a second longer): ${reason}\n`);
    }
  });
}
