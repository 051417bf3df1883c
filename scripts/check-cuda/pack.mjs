import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { locked } from "../bootstrap/lock.mjs";
import { ensureNative } from "../bootstrap/native-build.mjs";
import { root } from "../bootstrap/paths.mjs";
import { step } from "../bootstrap/progress.mjs";
import { runLogged, which } from "../bootstrap/run.mjs";

/** What tests of GPUs, the library and the benchmark need of the repository. */
const folders = [
  ...["CMakeLists.txt", "package.json", "tsconfig.json", "vitest.config.ts", "native", "src", "dist/src"],
  ...[
    "scripts/bootstrap",
    "scripts/check-cuda",
    "scripts/check-cuda.mjs",
    "bench/cuda",
    "bench/side_by_side.mjs",
  ],
  ...["test/native", "test/cuda", "test/support", "test/tokenizer/models.ts", "test/tensor/ops/on_device.ts"],
  ...["test/research/interventions", "test/model/fixtures.test.ts"],
  ...["build/Release/gpu_tests", "build/Release/persimmon_cuda.node"],
];
const packages = ["vitest", "fast-check", "node-addon-api", "node-api-headers", "commander", "csv-parse"];
packages.push("hyparquet", "@huggingface/hub");

/** @typedef {{ dependencies?: Record<string, string>, optionalDependencies?: Record<string, string> }} LockedPackage */

/**
 * The folders of packages and of all that they depend on, as far as they are installed.
 * @param {string[]} names
 * @param {Record<string, LockedPackage>} locked by folder, as in package-lock.json
 * @param {(folder: string) => boolean} isInstalled
 * @returns {string[]} such as `node_modules/vite`
 */
export function packageFolders(names, locked, isInstalled) {
  /** @type {Set<string>} */
  const found = new Set();
  /** @param {string} name @param {string} from folder of the package that asks, "" for the repository */
  const visit = (name, from) => {
    // As Node looks for it: beside what asks first, and then further out.
    const outer = from.lastIndexOf("node_modules/");
    const folder = `${from === "" ? "" : `${from}/`}node_modules/${name}`;
    const { [folder]: entry } = locked;
    if (entry === undefined) {
      if (from !== "") visit(name, from.slice(0, Math.max(0, outer - 1)));
      return;
    }
    if (found.has(folder) || !isInstalled(folder)) return;
    found.add(folder);
    for (const other of Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }))
      visit(other, folder);
  };
  for (const name of names) visit(name, "");
  return [...found].sort();
}

/**
 * Packs what a machine with a GPU needs (scripts/check-cuda.mjs), built by nvcc where it is not yet.
 * @param {string} archive a .tar.xz
 */
export async function pack(archive) {
  await locked(() => ensureNative("cudaAddon"));
  await locked(() => ensureNative("gpuTests"));
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  const installed = packageFolders(packages, lock.packages, (folder) => existsSync(join(root, folder)));
  const staging = mkdtempSync(join(tmpdir(), "persimmon-pack-"));
  const main = join(staging, "persimmon", "main");
  const put = (/** @type {string} */ from, /** @type {string} */ to) => {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, to, { recursive: true, dereference: true });
  };
  try {
    for (const folder of [...folders, ...installed]) {
      if (!existsSync(join(root, folder))) throw new Error(`${folder} is not there; build it first`);
      put(join(root, folder), join(main, folder));
    }
    const node = join(main, "bin", "node");
    put(process.execPath, node);
    // Names of Node's functions: an eighth of it.
    if (which("strip") !== undefined)
      await runLogged("strip", [node], { log: "strip", failure: "strip failed" });
    const fixtures = join("shared", "reference");
    const source = join(root, "..", fixtures);
    if (existsSync(source)) put(source, join(staging, "persimmon", fixtures));
    await step(`packing ${archive}`, () =>
      runLogged("tar", ["-C", staging, "-cJf", resolve(archive), "persimmon"], {
        log: "pack",
        failure: "tar could not pack it",
        // Kernels are in the tests and in the addon: one thread with a window that sees both makes a tenth less of it.
        env: { XZ_OPT: "-9 -T1" },
      }),
    );
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
  process.stderr.write(`${archive}: ${(statSync(archive).size / 2 ** 20).toFixed(1)} MiB\n`);
}
