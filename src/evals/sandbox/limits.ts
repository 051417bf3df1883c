import { PersimmonError } from "../../errors.js";
import { optionChecks } from "../../option_checks.js";

/** How long one program may run. */
export interface SandboxLimits {
  /** CPU seconds of each process; 4. What decides: time on the clock depends on what else the machine does. */
  cpuSeconds?: number;
  /** Seconds on the clock, for a program that waits instead of computing; 12. At least `cpuSeconds`. */
  wallSeconds?: number;
}

const mebibyte = 1024 * 1024;

/** What a program may use besides time. A canonical HumanEval solution needs less than a tenth of it. */
export const resources = {
  /** Bytes of address space of each process. */
  addressSpace: 1024 * mebibyte,
  /** Processes and threads, bubblewrap's own and the interpreter among them. */
  processes: 8,
  /** Bytes of one file. */
  fileSize: 16 * mebibyte,
  /** Open files. */
  openFiles: 64,
  /** Bytes of all files, which lie in memory. */
  temporaryFiles: 64 * mebibyte,
} as const;

/** Fills in the defaults. Throws `SANDBOX_OPTIONS_INVALID`. */
export function checkedLimits(limits: SandboxLimits): Required<SandboxLimits> {
  const { cpuSeconds = 4, wallSeconds = 12 } = limits;
  optionChecks(invalid).whole("cpuSeconds", cpuSeconds, 1, 3600);
  if (typeof wallSeconds !== "number" || !(wallSeconds >= cpuSeconds && wallSeconds <= 86_400)) {
    throw invalid(
      `wallSeconds must be a number from cpuSeconds (${cpuSeconds}) to 86400, got ${String(wallSeconds)}`,
    );
  }
  return { cpuSeconds, wallSeconds };
}

/** The limits as soft and hard values under the names of getrlimit(2). */
export function resourceLimits(cpuSeconds: number): Record<string, readonly [number, number]> {
  const { addressSpace, processes, fileSize, openFiles } = resources;
  return {
    // SIGXCPU at the soft limit; a program that ignores it is killed one second later.
    RLIMIT_CPU: [cpuSeconds, cpuSeconds + 1],
    RLIMIT_AS: [addressSpace, addressSpace],
    RLIMIT_NPROC: [processes, processes],
    RLIMIT_FSIZE: [fileSize, fileSize],
    RLIMIT_NOFILE: [openFiles, openFiles],
    RLIMIT_CORE: [0, 0],
  };
}

export function invalid(message: string): PersimmonError {
  return new PersimmonError("SANDBOX_OPTIONS_INVALID", `Sandbox: ${message}`);
}
