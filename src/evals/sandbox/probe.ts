import { execFileSync } from "node:child_process";
import { PersimmonError } from "../../errors.js";
import { packageRoot } from "../../package_root.js";
import type { Outcome } from "./execution.js";
import { resourceLimits } from "./limits.js";
import { probe } from "./python_text.js";
import type { Tools } from "./tools.js";
import { knownObstacle, unavailable } from "./unavailable.js";

/**
 * Tries a program in what was opened: with a sandbox, one that attempts what must not be possible. Throws
 * `SANDBOX_UNAVAILABLE` when it cannot be run, or can do what it must not.
 */
export async function probeSandbox(
  kind: "bubblewrap" | "none",
  tools: Tools,
  cpuSeconds: number,
  run: (program: string) => Promise<Outcome>,
): Promise<void> {
  if (kind === "bubblewrap") checkVersion(tools.bwrap!);
  const outcome = await run(kind === "bubblewrap" ? probeProgram(cpuSeconds) : "pass");
  if (outcome.status === "passed") return;
  if (outcome.status === "interrupted") {
    throw new PersimmonError("INTERRUPTED", "interrupted while the sandbox was tried; call again");
  }
  if (outcome.status === "notStarted") {
    const remedy = outcome.detail.startsWith("bwrap:") ? knownObstacle() : undefined;
    throw unavailable(`a program does not start in it (${outcome.detail})`, remedy);
  }
  const found = outcome.detail.replace(/^Exception: | \(line \d+\)$/g, "");
  throw unavailable(`a program that tries it says ${outcome.status}: ${found}`);
}

function probeProgram(cpuSeconds: number): string {
  // The folders of /usr can be read in the sandbox; a project that lies there too.
  const project = packageRoot.startsWith("/usr/") ? "/root" : packageRoot;
  return `LIMITS = ${JSON.stringify(resourceLimits(cpuSeconds))}\nPROJECT = ${JSON.stringify(project)}\n${probe}`;
}

/** `--disable-userns` came with bubblewrap 0.8.0. */
function checkVersion(bwrap: string): void {
  let text: string;
  try {
    text = execFileSync(bwrap, ["--version"], {
      encoding: "utf8",
      timeout: 10_000,
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    throw unavailable(`${bwrap} --version fails (${(error as Error).message.trim()})`);
  }
  const found = /(\d+)\.(\d+)/.exec(text);
  const [major, minor] = found === null ? [0, 0] : [Number(found[1]), Number(found[2])];
  if (major > 0 || minor >= 8) return;
  throw unavailable(`${bwrap} is "${text.trim()}"`, "install bubblewrap 0.8 or newer");
}
