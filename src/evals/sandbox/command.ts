import { resourceLimits, resources } from "./limits.js";
import { bootstrap } from "./python_text.js";
import type { Tools } from "./tools.js";

/** Descriptor on which the verdict is written. */
export const resultDescriptor = 3;

/** Descriptor on which bubblewrap says which process is the first of the sandbox. */
export const infoDescriptor = 4;

/** What a program finds in its environment; nothing of ours. */
export const environment = {
  PATH: "/usr/bin",
  HOME: "/tmp",
  LANG: "C.UTF-8",
  // A set or dict of strings has the same order in every run.
  PYTHONHASHSEED: "0",
  OMP_NUM_THREADS: "1",
} as const;

/**
 * The command of one program in bubblewrap: only /usr, and a /proc, /dev and /tmp of its own, are there; no network, no
 * capability, no further user namespace. It must itself be started with an empty environment, which the program could
 * otherwise read in /proc/1/environ.
 */
export function sandboxCommand(tools: Tools, cpuSeconds: number): string[] {
  return [
    ...dropRoot(tools),
    tools.bwrap!,
    ...["--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent", "--new-session"],
    ...["--cap-drop", "ALL"],
    ...["--ro-bind", "/usr", "/usr"],
    ...["--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/bin", "/bin"],
    ...["--proc", "/proc", "--dev", "/dev"],
    ...["--size", String(resources.temporaryFiles), "--tmpfs", "/tmp"],
    // Both are file systems in memory without a limit, unless nothing can be written to them.
    ...["--remount-ro", "/dev", "--remount-ro", "/"],
    ...["--chdir", "/tmp"],
    ...Object.entries(environment).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--info-fd", String(infoDescriptor)],
    // Inside, where processes are counted for this sandbox alone.
    ...limited(tools.prlimit!, cpuSeconds),
    ...interpreter(tools.python),
  ];
}

/**
 * The command of one program without a sandbox, with limits only. macOS has no prlimit, and a limit of the address space
 * there makes the interpreter fail.
 */
export function bareCommand(tools: Tools, cpuSeconds: number): string[] {
  const python = interpreter(tools.python);
  if (tools.prlimit !== undefined) {
    return [...dropRoot(tools), ...limited(tools.prlimit, cpuSeconds), ...python];
  }
  const { fileSize, openFiles } = resources;
  const limits = `ulimit -H -t ${cpuSeconds + 1}; ulimit -S -t ${cpuSeconds}; ulimit -f ${fileSize / 512}; ulimit -n ${openFiles}; ulimit -c 0`;
  return ["/bin/sh", "-c", `${limits}; exec "$@"`, "sh", ...python];
}

/** Real user 0 has no limit of processes, not even as another user of a user namespace: it is given up before. */
function dropRoot({ setpriv }: Tools): string[] {
  if (setpriv === undefined) return [];
  return [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"];
}

function limited(prlimit: string, cpuSeconds: number): string[] {
  const limits = Object.entries(resourceLimits(cpuSeconds));
  // RLIMIT_NOFILE is --nofile there, and so on.
  const option = (name: string) => `--${name.replace("RLIMIT_", "").toLowerCase()}`;
  return [prlimit, ...limits.map(([name, [soft, hard]]) => `${option(name)}=${soft}:${hard}`)];
}

function interpreter(python: string): string[] {
  // Not -I, which would ignore PYTHONHASHSEED too. What else it keeps out is not there: the environment is ours, and the
  // bootstrap takes the current folder off the path.
  return [python, "-s", "-B", "-S", "-c", bootstrap, String(resultDescriptor)];
}
