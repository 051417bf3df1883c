import { describe, expect, it } from "vitest";
import { knownObstacle, unavailable } from "../../../src/evals/sandbox/unavailable.js";

describe("knownObstacle", () => {
  const on = (settings: Record<string, string>) =>
    knownObstacle(
      (path) => settings[path],
      (path) => path in settings,
    );

  it("names Docker, AppArmor and the kernel's settings, each with what helps", () => {
    expect(on({ "/.dockerenv": "" })).toMatch(/container.*--security-opt seccomp=unconfined/);
    expect(on({ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1" })).toMatch(
      /Ubuntu 24.04.*sysctl kernel.apparmor_restrict_unprivileged_userns=0/,
    );
    expect(on({ "/proc/sys/kernel/unprivileged_userns_clone": "0" })).toMatch(/unprivileged_userns_clone=1/);
    expect(on({ "/proc/sys/user/max_user_namespaces": "0" })).toMatch(/user.max_user_namespaces/);
  });

  it("says nothing where nothing is known", () => {
    expect(on({})).toBeUndefined();
    expect(on({ "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "0" })).toBeUndefined();
  });
});

it("the refusal says why, and what to do", () => {
  const { code, message } = unavailable("bwrap is not on the PATH", "install bubblewrap (0.8 or newer)");
  expect(code).toBe("SANDBOX_UNAVAILABLE");
  expect(message).toMatchInlineSnapshot(
    `"the sandbox for generated Python cannot be used: bwrap is not on the PATH. What to do: install bubblewrap (0.8 or newer); run the programs on a Linux machine with bubblewrap; or open the sandbox with unsafeRunWithoutSandbox: true, which gives what the model wrote your files and your network"`,
  );
});
