import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { constants } from "node:os";
import { PersimmonError } from "../errors.js";

/**
 * Runs a script of this package with this Node on this terminal and takes over its exit code. Ctrl-C is left to it.
 * Throws `FILE_MISSING` when the script is not there.
 */
export async function runNode(script: string, args: readonly string[]): Promise<void> {
  if (!existsSync(script)) {
    throw new PersimmonError(
      "FILE_MISSING",
      `${script} is not there; run \`npm run build\` in the repository first`,
    );
  }
  const ignore = () => {};
  process.on("SIGINT", ignore);
  const child = spawn(process.execPath, [script, ...args], { stdio: "inherit" });
  const forward = () => child.kill("SIGTERM");
  process.on("SIGTERM", forward);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])),
    );
  });
  process.off("SIGINT", ignore);
  process.off("SIGTERM", forward);
}
