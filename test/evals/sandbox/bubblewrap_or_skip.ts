import { spawnSync } from "node:child_process";
import { describe } from "vitest";

/** Why bubblewrap does not run here; undefined where it does. Asked without our own code. */
function obstacle(): string | undefined {
  if (process.platform !== "linux") return `${process.platform} has no bubblewrap`;
  const command = ["--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true"];
  const { error, status, stderr } = spawnSync("bwrap", command, { encoding: "utf8" });
  if (error !== undefined) return `bubblewrap is not installed (${error.message})`;
  return status === 0 ? undefined : `bubblewrap does not work here (${stderr.trim()})`;
}

/** A `describe` for tests that run programs in bubblewrap. Where it does not run, a line on stderr says that they are skipped. */
export function bubblewrapOrSkip(title: string, body: () => void): void {
  const reason = obstacle();
  if (reason !== undefined) process.stderr.write(`SKIPPED: ${title}: ${reason}\n`);
  describe.skipIf(reason !== undefined)(title, body);
}
