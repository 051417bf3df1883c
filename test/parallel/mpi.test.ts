import { execFile, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { repositoryRoot } from "../support/shared.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const script = join(repositoryRoot, "test", "parallel", "mpi_rank.mjs");
const built = join(repositoryRoot, "dist", "src", "index.js");
const isThere = spawnSync("mpirun", ["--version"]).status === 0 && existsSync(built);
if (!isThere) {
  process.stderr.write("SKIPPED: models over MPI: no mpirun (apt-get install openmpi-bin), or no dist/\n");
}

interface Run {
  code: number;
  text: string;
  /** What each rank has said, one object a line. */
  said: { rank: number; ranks: number; what: string; value: string }[];
}

/** Runs the script on so many processes, which ends within a minute or fails. */
function mpirun(ranks: number, args: string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  // In a container everything runs as root, which mpirun wants to be told twice.
  const asRoot = process.getuid?.() === 0 && {
    OMPI_ALLOW_RUN_AS_ROOT: "1",
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: "1",
  };
  const given = ["--oversubscribe", "-np", `${ranks}`, process.execPath, script, ...args];
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...asRoot, ...env }, timeout: 60_000 };
    execFile("mpirun", given, options, (error, stdout, stderr) => {
      const said = stdout
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as Run["said"][number]);
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, text: stdout + stderr, said });
    });
  });
}

/** What the ranks have said under a name, which is expected of all of them. */
function valuesOf({ said, text }: Run, what: string, ranks: number): string[] {
  const values = said.filter((line) => line.what === what);
  expect(values.map(({ rank }) => rank).sort(), text).toEqual(
    Array.from({ length: ranks }, (_, rank) => rank),
  );
  return values.map(({ value }) => value);
}

describe.skipIf(!isThere)("a model over the processes of mpirun", { timeout: 60_000 }, () => {
  let directory: string;
  /** What ranks within one process give: hashes of logits, by the number of ranks. */
  let local: Record<string, Record<string, string>>;

  beforeAll(async () => {
    directory = await tinyCheckpoint({ num_attention_heads: 4 });
    const { stdout } = spawnSync(process.execPath, [script, directory, "local"], { encoding: "utf8" });
    local = {};
    for (const line of stdout.split("\n").filter((each) => each.startsWith("{"))) {
      const { ranks, what, value } = JSON.parse(line) as Run["said"][number];
      local[ranks] = { ...local[ranks], [what]: value };
    }
  });

  it.each([2, 4])("%i processes have the bits of as many ranks in one", async (ranks) => {
    const run = await mpirun(ranks, [directory, "results"]);
    expect(run.code, run.text).toBe(0);
    for (const what of ["logits", "text", "edited", "hooked", "cached", "sampled", "stopped", "swapped"]) {
      expect(local[ranks][what]).toMatch(/^[0-9a-f]{64}$/);
      expect(new Set(valuesOf(run, what, ranks)), what).toEqual(new Set([local[ranks][what]]));
    }
    expect(local[ranks].edited).not.toBe(local[ranks].text);
  });

  it("a hook that throws on one rank is an error on both, and both go on", async () => {
    const run = await mpirun(2, [directory, "throw"]);
    expect(run.code, run.text).toBe(0);
    expect(valuesOf(run, "failure", 2).sort()).toEqual([
      "HOOK_FAILED: the hook at layers.1.out threw: on purpose",
      "OP_FAILED: an op failed: rank 1 has left the pass before its end: it was interrupted, or a hook failed there",
    ]);
    expect(new Set(valuesOf(run, "logits", 2))).toEqual(new Set([local[2].logits]));
  });

  it("ranks that draw different tokens are told so, and both go on", async () => {
    const run = await mpirun(2, [directory, "differ"]);
    expect(run.code, run.text).toBe(0);
    for (const failure of valuesOf(run, "failure", 2)) {
      expect(failure).toMatch(/^OP_FAILED: .*rank 0 is at .* with checksum \d+, rank 1 at .*same inputs/);
    }
    expect(new Set(valuesOf(run, "logits", 2))).toEqual(new Set([local[2].logits]));
  });

  it("a rank that does not come is given up", async () => {
    const run = await mpirun(2, [directory, "late"], { PERSIMMON_MPI_TIMEOUT: "1" });
    expect(run.code).not.toBe(0);
    expect(run.text).toMatch(/rank 0 has waited 1 seconds in pass 1 for another rank/);
  });

  it("a rank that is killed in the middle of a text ends the others", async () => {
    const run = await mpirun(4, [directory, "killed"]);
    expect(run.code).not.toBe(0);
    expect(run.text).toMatch(/rank 1 .*exited on signal 9/);
    expect(run.said).toEqual([]);
  });

  it("refuses a timeout that is none", async () => {
    const run = await mpirun(2, [directory, "results"], { PERSIMMON_MPI_TIMEOUT: "soon" });
    expect(run.code).not.toBe(0);
    expect(run.text).toMatch(/PERSIMMON_MPI_TIMEOUT must be a number of seconds above 0, got "soon"/);
  });
});
