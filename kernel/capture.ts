import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, rmSync } from "node:fs";
import { join } from "node:path";

/** The read ends of the pipes behind descriptors 1 and 2. */
export interface CapturedOutput {
  stdout: number;
  stderr: number;
}

/**
 * Puts named pipes behind descriptors 1 and 2 of this process, so that what addons and child processes print can be
 * shown in the cell; no addon is needed for it. Must run before any thread starts and before process.stdout is opened.
 * Where it cannot be done (Windows, no mkfifo), such text goes where it always went.
 *
 * @param folder where the pipes can be made; their names are gone again afterwards
 */
export function captureDescriptors(folder: string): CapturedOutput | undefined {
  if (process.platform === "win32") return undefined;
  const paths = [join(folder, "stdout"), join(folder, "stderr")] as const;
  try {
    execFileSync("mkfifo", ["-m", "600", ...paths], { stdio: "ignore" });
    const readers = paths.map((path) => openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    // A new descriptor gets the lowest free number: the one just closed, as long as 0 is open.
    paths.forEach((path, i) => {
      const wanted = i + 1;
      const writer = openSync(path, "w");
      closeSync(wanted);
      const got = openSync(path, "w");
      closeSync(writer);
      if (got !== wanted) throw new Error(`descriptor ${got} instead of ${wanted}`);
    });
    return { stdout: readers[0]!, stderr: readers[1]! };
  } catch {
    return undefined;
  } finally {
    for (const path of paths) rmSync(path, { force: true });
  }
}
