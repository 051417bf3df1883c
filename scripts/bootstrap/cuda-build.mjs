import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runChecks } from "./checks.mjs";
import { compareTables, formatTable, parseResources, parseTable } from "./cuda-resources.mjs";
import { locked } from "./lock.mjs";
import { BootstrapError } from "./missing-tool.mjs";
import { buildLog, ensureNative } from "./native-build.mjs";
import { logDirectory, root } from "./paths.mjs";
import { query, which } from "./run.mjs";
import { vitest } from "./test.mjs";

const stored = join(root, "native", "cuda", "resources.txt");

/**
 * Builds the addon with CUDA kernels by nvcc, compares what each kernel takes with the stored table, and tests the addon as
 * far as that goes without a GPU. Where there is no nvcc it says so.
 * @param {string[]} args `--write`: store the table anew
 * @param {() => Promise<void>} build what the tests need beside
 * @returns {Promise<number>} exit code
 */
export async function checkCudaBuild(args, build) {
  const unknown = args.find((arg) => arg !== "--write");
  if (unknown !== undefined) throw new BootstrapError(`check:cuda-build takes --write, got ${unknown}`);
  const nvcc = process.env.CUDACXX ?? which("nvcc");
  const version = nvcc && /release [\d.]+, V([\d.]+)/.exec(query(nvcc, ["--version"]) ?? "")?.[1];
  const names = ["resources of CUDA kernels", "the addon with CUDA kernels"];
  if (version === undefined || version === "") {
    process.stderr.write("SKIPPED: the build of the CUDA kernels: no nvcc on the PATH\n");
    return runChecks(
      "cuda-build",
      names.map((name) => ({ name, run: async () => "skipped" })),
    );
  }
  await build();
  return runChecks("cuda-build", [
    { name: names[0], run: () => checkResources(version, args.includes("--write")) },
    { name: names[1], run: () => vitest(["test/cuda/addon.test.ts"]) },
  ]);
}

/**
 * @param {string} compiler version of nvcc
 * @param {boolean} write
 * @returns {Promise<number>} exit code
 */
async function checkResources(compiler, write) {
  // All kernels anew: those that are up to date would not be in the log.
  rmSync(join(root, "build", "CMakeFiles", "cuda_ops.dir"), { recursive: true, force: true });
  rmSync(join(root, "build", "Release", "persimmon_cuda.node"), { force: true });
  await locked(() => ensureNative("cudaAddon"));
  const log = readFileSync(join(logDirectory, `${buildLog("cudaAddon")}.log`), "utf8");
  const found = { compiler, rows: parseResources(demangled(log)) };
  if (found.rows.length === 0) throw new BootstrapError("nvcc said nothing of the kernels it compiled");
  const table = formatTable(found);
  process.stderr.write(`${table}\n`);
  if (write) writeFileSync(stored, table);
  const before = existsSync(stored) ? parseTable(readFileSync(stored, "utf8")) : { compiler, rows: [] };
  const { wrong, changed } = compareTables(before, found);
  if (changed.length > 0) {
    process.stderr.write(`changed, by nvcc ${compiler} in place of ${before.compiler}:\n`);
    for (const line of changed) process.stderr.write(`${line}\n`);
  }
  if (wrong.length === 0) return 0;
  for (const line of wrong) process.stderr.write(`${line}\n`);
  process.stderr.write(
    "native/cuda/resources.txt says otherwise; if the change is meant, `npm run check:cuda-build -- --write`\n",
  );
  return 1;
}

/**
 * @param {string} text
 * @returns {string} with C++ names as one writes them
 */
function demangled(text) {
  const { status, stdout } = spawnSync("c++filt", { input: text, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status === 0) return stdout;
  throw new BootstrapError("c++filt, which is part of binutils as the linker is, was not found");
}
