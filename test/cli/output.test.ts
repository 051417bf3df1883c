import { spawn } from "node:child_process";
import { existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "../support/shared.js";

const main = join(repositoryRoot, "dist", "src", "cli", "main.js");

/** Runs `persimmon` with this standard output; with "left", the reader goes after the first bytes. */
async function run(args: string[], output: number | "left") {
  const child = spawn(process.execPath, [main, ...args], {
    stdio: ["ignore", output === "left" ? "pipe" : output, "pipe"],
  });
  let errors = "";
  child.stderr?.on("data", (part) => {
    errors += part;
  });
  child.stdout?.once("data", () => child.stdout?.destroy());
  return new Promise((resolve) => child.once("close", (code) => resolve({ code, errors })));
}

describe("standard output that cannot be written", () => {
  // A device of Linux's.
  it
    .skipIf(!existsSync("/dev/full"))
    .each([
      [["info"]],
      [["generate", "Once upon a time", "-n", "400"]],
      [["generate", "Once", "-n", "4", "--json"]],
    ])("%j on a full disk is one error", async (args) => {
    expect(await run(args, openSync("/dev/full", "w"))).toEqual({
      code: 1,
      errors:
        "error [OUTPUT_FAILED] standard output cannot be written: ENOSPC: no space left on device, write\n",
    });
  });

  it("is no error where the reader has left", async () => {
    const args = ["generate", "Once upon a time", "-n", "1500"];
    expect(await run(args, "left")).toEqual({ code: 0, errors: "" });
  });
});
