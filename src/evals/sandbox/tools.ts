import { accessSync, constants, readdirSync, realpathSync } from "node:fs";
import { delimiter, join } from "node:path";
import { unavailable } from "./unavailable.js";

/** Programs that the sandbox is made of, as absolute paths. */
export interface Tools {
  /** Undefined without a sandbox. */
  readonly bwrap?: string;
  /** util-linux; undefined on macOS, without a sandbox. */
  readonly prlimit?: string;
  /** util-linux; undefined where this process does not run as root. */
  readonly setpriv?: string;
  readonly python: string;
}

/** What is needed to run programs in bubblewrap. Throws `SANDBOX_UNAVAILABLE` naming what is missing. */
export function findSandboxTools(): Tools {
  if (process.platform !== "linux") {
    throw unavailable(`bubblewrap works on Linux only, and this is ${process.platform}`);
  }
  const bwrap = onPath("bwrap");
  if (bwrap === undefined) throw unavailable("bwrap is not on the PATH", "install bubblewrap (0.8 or newer)");
  const prlimit = executable("/usr/bin/prlimit");
  if (prlimit === undefined) throw unavailable("there is no /usr/bin/prlimit", "install util-linux");
  const python = systemPython();
  if (python === undefined) {
    throw unavailable(
      "there is no python3 in /usr/bin or /usr/local/bin: in the sandbox there is nothing but /usr",
      "install python3 from the packages of the system",
    );
  }
  return { bwrap, prlimit, setpriv: setprivOfRoot(), python };
}

/** What is needed to run programs with limits only. Throws `SANDBOX_UNAVAILABLE` naming what is missing. */
export function findBareTools(): Tools {
  if (process.platform === "win32") throw unavailable("this is Windows; Linux and macOS are supported");
  const python = systemPython() ?? onPath("python3");
  if (python === undefined) throw unavailable("there is no python3 on the PATH", "install python3");
  return { prlimit: executable("/usr/bin/prlimit"), setpriv: setprivOfRoot(), python };
}

function setprivOfRoot(): string | undefined {
  if (process.platform !== "linux" || (process.getuid!() !== 0 && process.geteuid!() !== 0)) return undefined;
  const setpriv = onPath("setpriv");
  if (setpriv !== undefined) return setpriv;
  throw unavailable(
    "setpriv is not on the PATH; as root it is needed to become another user",
    "install util-linux",
  );
}

/** The interpreter of the system: python3 itself, or else the newest python3.N. */
function systemPython(): string | undefined {
  for (const folder of ["/usr/bin", "/usr/local/bin"]) {
    const names = filesIn(folder)
      .filter((name) => /^python3\.\d+$/.test(name))
      .sort((a, b) => Number(b.slice(8)) - Number(a.slice(8)));
    for (const name of ["python3", ...names]) {
      const found = executable(join(folder, name));
      // A link can lead through a folder that is not there in the sandbox (/etc/alternatives), or end in one.
      const path = found === undefined ? undefined : realpathSync(found);
      if (path?.startsWith("/usr/")) return path;
    }
  }
  return undefined;
}

function onPath(name: string): string | undefined {
  return (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder.startsWith("/"))
    .map((folder) => executable(join(folder, name)))
    .find((path) => path !== undefined);
}

function executable(path: string): string | undefined {
  try {
    accessSync(path, constants.X_OK);
    return path;
  } catch {
    return undefined;
  }
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
