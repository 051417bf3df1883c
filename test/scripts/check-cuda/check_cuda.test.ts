import { describe, expect, it } from "vitest";
import { packageFolders } from "../../../scripts/check-cuda/pack.mjs";
import { countNative, run } from "../../../scripts/check-cuda/stages.mjs";

describe("countNative", () => {
  it("counts the lines of the native tests", () => {
    const output = "ok   one\n  file.cc:3: 1 is not 2\nFAIL two\nok   three\n3 tests, 1 failed checks\n";
    expect(countNative(1, output)).toEqual({ passed: 2, failed: 1, skipped: 0, failures: ["two"] });
  });

  it("counts an end without a failed test as a failure, with the last line", () => {
    expect(countNative(2, "no GPU for the tests: this machine has no CUDA driver\n")).toMatchObject({
      passed: 0,
      failed: 1,
      failures: ["exit code 2: no GPU for the tests: this machine has no CUDA driver"],
    });
    expect(countNative(null, "ok   one\n").failures).toEqual([
      "ended by a signal or its time limit: ok   one",
    ]);
  });
});

describe("run", () => {
  it("gives the exit code and the output, and hands on variables", async () => {
    const program = "console.log(process.env.COLOUR); console.error('two'); process.exit(3)";
    const { code, output } = await run(process.execPath, ["-e", program], 60, { COLOUR: "red" });
    expect(code).toBe(3);
    expect(output.split("\n").sort()).toEqual(["", "red", "two"]);
  });

  it("ends a program at its limit with what that has started, which may hold the output open", async () => {
    const { code, output } = await run("sh", ["-c", "sleep 60 & echo started; wait"], 0.5);
    expect({ code, output }).toEqual({ code: null, output: "started\n" });
  });
});

describe("packageFolders", () => {
  const locked = {
    "node_modules/a": { dependencies: { b: "1", c: "1" } },
    "node_modules/a/node_modules/b": { dependencies: { c: "1" } },
    "node_modules/b": {},
    "node_modules/c": { optionalDependencies: { d: "1" } },
    "node_modules/d": {},
    "node_modules/e": {},
  };
  const all = () => true;

  it("are those that Node finds, the nearest first", () => {
    expect(packageFolders(["a"], locked, all)).toEqual([
      "node_modules/a",
      "node_modules/a/node_modules/b",
      "node_modules/c",
      "node_modules/d",
    ]);
  });

  it("leave out what is not installed, as what is for another system", () => {
    const folders = packageFolders(["c", "e"], locked, (folder) => folder !== "node_modules/d");
    expect(folders).toEqual(["node_modules/c", "node_modules/e"]);
  });
});
