import { existsSync, readFileSync } from "node:fs";
import { PersimmonError } from "../../errors.js";

/** The refusal to run programs, with what helps. */
export function unavailable(reason: string, remedy?: string): PersimmonError {
  const help = [
    ...(remedy === undefined ? [] : [remedy]),
    "run the programs on a Linux machine with bubblewrap",
    "or open the sandbox with unsafeRunWithoutSandbox: true, which gives what the model wrote your files and your network",
  ];
  return new PersimmonError(
    "SANDBOX_UNAVAILABLE",
    `the sandbox for generated Python cannot be used: ${reason}. What to do: ${help.join("; ")}`,
  );
}

/** What is known to keep bubblewrap from working on a machine like this one; undefined when nothing is. */
export function knownObstacle(
  read: (path: string) => string | undefined = readSetting,
  exists: (path: string) => boolean = existsSync,
): string | undefined {
  if (exists("/.dockerenv") || exists("/run/.containerenv")) {
    return "this is a container, and may be forbidden to make namespaces: start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined";
  }
  if (read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") === "1") {
    return "AppArmor forbids user namespaces (Ubuntu 24.04 does): allow them to bwrap in a profile, or to all with sysctl kernel.apparmor_restrict_unprivileged_userns=0";
  }
  if (read("/proc/sys/kernel/unprivileged_userns_clone") === "0") {
    return "the kernel forbids user namespaces: sysctl kernel.unprivileged_userns_clone=1 allows them";
  }
  if (read("/proc/sys/user/max_user_namespaces") === "0") {
    return "the kernel allows no user namespace: raise sysctl user.max_user_namespaces";
  }
  return undefined;
}

function readSetting(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}
