import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { repositoryRoot } from "../support/shared.js";

const library = join(repositoryRoot, "dist", "src", "index.js");

/** Runs JavaScript, with the library as `persimmon`, in a process of its own that a shell command has limited. */
function runLimited(limit: string, code: string) {
  const program = `import(${JSON.stringify(library)}).then(async (persimmon) => { ${code} })
    .catch((error) => { console.log(error.code + ": " + error.message); process.exitCode = 3; });`;
  const { status, signal, stdout, stderr } = spawnSync(
    "sh",
    ["-c", `${limit} && exec "$0" -e "$1"`, process.execPath, program],
    { encoding: "utf8", timeout: 60_000 },
  );
  return { status, signal, stdout, stderr };
}

/** A model of 1.2 GB: 200 MB of weights and a long context. */
const random = (options: string) =>
  `const model = persimmon.randomModel({ hidden: 1024, layers: 8, heads: 16, ffn: 4096, vocab: 2048 }, { threads: 1, ${options} });
   const { ids } = await model.generate([1, 2, 3], { maxNewTokens: 2 }).done;
   console.log(ids.length, model.kvDtype);`;

describe.runIf(process.platform === "linux")("ulimit -v", () => {
  const limit = "ulimit -v 5000000";

  it("a model that will not fit into the address space is refused before it is made, and another is made", () => {
    const refused = runLimited(limit, random(`dtype: "bfloat16", maxLength: 16384`));
    expect(refused.stdout).toMatch(/^OUT_OF_MEMORY: the model needs .* free \(address space \(ulimit -v\)\)/);
    expect(refused.stdout).toContain('`kvDtype: "int8"`');
    expect([refused.status, refused.signal]).toEqual([3, null]);
    const made = runLimited(limit, random(`dtype: "bfloat16", maxLength: 16384, kvDtype: "int8"`));
    expect(made).toMatchObject({ status: 0, stdout: "2 int8\n" });
  });

  it("loadModel tells what it needs and has before it reads a weight", () => {
    const load = `const seen = [];
      await persimmon.loadModel(undefined, {
        onMemory: ({ limit, needed }) => seen.push(limit, needed.total > 0),
        onProgress: () => seen.push("weights"),
      });
      console.log(seen.slice(0, 3).join());`;
    const told = runLimited(limit, load);
    expect(told.stdout).toMatch(/^(MemAvailable|memory\.).*,true,weights\n$/);
  });
});

/** A control group that tests may make, of version 1 or 2; undefined where they may not. */
function controlGroup(bytes: number): string | undefined {
  const groups = existsSync("/proc/self/cgroup") ? readFileSync("/proc/self/cgroup", "utf8") : "";
  const own = /^\d+:memory:(.*)$/m.exec(groups)?.[1];
  const isFirst = own !== undefined;
  const parent = isFirst ? join("/sys/fs/cgroup/memory", own) : "/sys/fs/cgroup";
  const folder = join(parent, `persimmon-test-${process.pid}`);
  try {
    accessSync(parent, constants.W_OK);
    mkdirSync(folder);
    writeFileSync(join(folder, isFirst ? "memory.limit_in_bytes" : "memory.max"), String(bytes));
    return folder;
  } catch {
    if (existsSync(folder)) rmdirSync(folder);
    return undefined;
  }
}

describe("a control group of 400 MB", () => {
  const group = controlGroup(4e8);
  afterAll(() => group !== undefined && rmdirSync(group));
  const limit = `echo $$ > ${group}/cgroup.procs`;

  it.skipIf(group === undefined)("refuses what the system would end it for, and takes what fits", () => {
    const refused = runLimited(limit, random(`dtype: "bfloat16", maxLength: 4096`));
    expect(refused.stdout).toMatch(/^OUT_OF_MEMORY: .*of the control group \//);
    expect([refused.status, refused.signal]).toEqual([3, null]);
    const made = runLimited(limit, random(`dtype: "int4", maxLength: 1024`));
    expect(made).toMatchObject({ status: 0, stdout: "2 float32\n" });
  });

  it.skipIf(group === undefined)("without the check the system ends it: the limit is real", () => {
    const ended = runLimited(limit, random(`dtype: "float32", maxLength: 4096, memoryCheck: false`));
    expect([ended.signal, ended.stdout]).toEqual(["SIGKILL", ""]);
  });
});
