import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { resultDirectory } from "../bootstrap/checks.mjs";
import { root } from "../bootstrap/paths.mjs";
import { which } from "../bootstrap/run.mjs";
import { countVitest } from "../bootstrap/summary.mjs";
import { gpuTests } from "./build.mjs";
import { deviceTests, onGpu } from "./device-tests.mjs";

/** @typedef {import("../bootstrap/summary.mjs").Totals} Totals */

/** Tests, by parts of their names: of every kernel the quickest, since compute-sanitizer makes them ten to a hundred times as slow. */
const sanitized = [
  ...[
    "productsOfManyRowsKeepWhat",
    "matmul",
    "linearOfFewRowsKeeps",
    "linearWhereDoesNot",
    "linearByInputReads",
    "joinedKeeps",
  ],
  ...[
    "fusedAttentionOfOddHeads",
    "fusedAttentionOfSeveral",
    "fusedAttentionInAGraph",
    "fusedAttentionOutside",
  ],
  ...[
    "splitHeads",
    "cacheAppend",
    "patternAndValues",
    "layerNorm",
    "rmsNorm",
    "softmaxOfOddRows",
    "reductionsOfOdd",
  ],
  ...[
    "wholeNumbers",
    "transposes",
    "copiesOfBlocks",
    "broadcasts",
    "activationsOfInfinity",
    "editsAre",
    "topK",
  ],
  ...[
    "positiveAndNonFinite",
    "argmaxOfOddRows",
    "sampleOfOddLogits",
    "gather",
    "embeddingGives",
    "int8HasTheBits",
  ],
];

const tools = ["memcheck", "racecheck", "initcheck", "synccheck"];
/** Of one run each, so that a kernel that hangs costs minutes and not the machine's whole time. */
const SANITIZER_SECONDS = 100;
const NATIVE_SECONDS = 240;
const LIBRARY_SECONDS = 300;
/** So that compute-sanitizer's own failures can be told from those of the tests. */
const SANITIZER_EXIT = 86;

/**
 * Runs a program, with its output on this terminal too.
 * @param {string} command
 * @param {string[]} args
 * @param {number} seconds after which it is ended, with all that it has started
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<{ code: number | null, output: string }>}
 */
export function run(command, args, seconds, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // the leader of a group of its own
    });
    const end = () => {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    };
    const timer = setTimeout(end, 1000 * seconds);
    process.once("exit", end);
    let output = "";
    const collect = (/** @type {Buffer} */ data) => {
      output += data.toString();
      process.stderr.write(data);
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      process.off("exit", end);
      resolve({ code, output });
    });
  });
}

/**
 * Counts the lines of native tests, `ok   name` and `FAIL name`. One that ended early counts as a failure.
 * @param {number | null} code exit code, null after a signal
 * @param {string} output
 * @returns {Totals}
 */
export function countNative(code, output) {
  const named = (/** @type {string} */ word) =>
    output
      .split("\n")
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(5).trim());
  const failures = named("FAIL");
  if (code !== 0 && failures.length === 0) {
    const last = output.trim().split("\n").at(-1);
    failures.push(`${code === null ? "ended by a signal or its time limit" : `exit code ${code}`}: ${last}`);
  }
  return { passed: named("ok  ").length, failed: failures.length, skipped: 0, failures };
}

/** @throws Error where they were not built */
function expectBuilt() {
  if (!existsSync(gpuTests))
    throw new Error(`${gpuTests} is not there: \`node scripts/check-cuda.mjs build\``);
}

// Our own kernels are tested; and it would load all of its own, which takes long under the sanitizer.
const withoutCublasLt = { PERSIMMON_CUBLASLT: "0" };

/** @returns {Promise<Totals>} */
export async function nativeStage() {
  expectBuilt();
  const { code, output } = await run(gpuTests, [], NATIVE_SECONDS, withoutCublasLt);
  return countNative(code, output);
}

/** Products of many rows by NVIDIA's cuBLASLt, which the system's loader finds or PERSIMMON_CUBLASLT names. @returns {Promise<Totals>} */
export async function cublasLtStage() {
  expectBuilt();
  const { code, output } = await run(gpuTests, ["productsOfManyRows"], NATIVE_SECONDS, {
    PERSIMMON_CUBLASLT: process.env.PERSIMMON_CUBLASLT ?? "libcublasLt.so.13",
  });
  return countNative(code, output);
}

/** One check for each tool. @returns {Promise<Totals>} */
export async function sanitizerStage() {
  expectBuilt();
  const sanitizer = which("compute-sanitizer");
  if (sanitizer === undefined) {
    process.stderr.write("SKIPPED: compute-sanitizer is not on the PATH\n");
    return { passed: 0, failed: 0, skipped: tools.length, failures: [] };
  }
  /** @type {string[]} */
  const failures = [];
  for (const tool of tools) {
    const options = ["--tool", tool, "--error-exitcode", `${SANITIZER_EXIT}`];
    const test = [...options, gpuTests, ...sanitized];
    const { code, output } = await run(sanitizer, test, SANITIZER_SECONDS, withoutCublasLt);
    if (code !== 0) failures.push(`${tool}: exit code ${code}, ${output.trim().split("\n").at(-1)}`);
  }
  return { passed: tools.length - failures.length, failed: failures.length, skipped: 0, failures };
}

/** @returns {Promise<Totals>} */
export async function libraryStage() {
  mkdirSync(resultDirectory, { recursive: true });
  const real = { PERSIMMON_TEST_GPU: "1" };
  const all = [
    await vitest("gpu-library", ["test/cuda"], real),
    await vitest("gpu-fixtures", deviceTests, { ...real, ...onGpu("persimmon_cuda.node") }),
  ];
  const sum = (/** @type {"passed" | "failed" | "skipped"} */ key) =>
    all.reduce((total, totals) => total + totals[key], 0);
  const failures = all.flatMap((totals) => totals.failures);
  return { passed: sum("passed"), failed: sum("failed"), skipped: sum("skipped"), failures };
}

/**
 * @param {string} name of the report
 * @param {string[]} tests
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<Totals>}
 */
async function vitest(name, tests, env) {
  const report = join(resultDirectory, `${name}.json`);
  rmSync(report, { force: true });
  const script = join(root, "node_modules", "vitest", "vitest.mjs");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  await run(process.execPath, [script, "run", ...tests, ...reporters], LIBRARY_SECONDS, env);
  if (!existsSync(report))
    return { passed: 0, failed: 1, skipped: 0, failures: [`${name}: vitest wrote no report`] };
  return countVitest(JSON.parse(readFileSync(report, "utf8")));
}
