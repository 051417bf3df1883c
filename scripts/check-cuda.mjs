#!/usr/bin/env node
// Everything that can be checked on a machine with an NVIDIA GPU, counted in one line at the end. Each stage can be run alone:
//   node scripts/check-cuda.mjs [build] [native] [cublaslt] [sanitizer] [library]        (none named: all of them)
//     build      kernels for the card that is there, by nvcc: build/Release/gpu_tests and persimmon_cuda.node
//     native     the native tests of the kernels, on the GPU instead of the emulated runtime
//     cublaslt   those of products of many rows again, by cuBLASLt (PERSIMMON_CUBLASLT: its path, which may be
//                site-packages/nvidia/cu13/lib/libcublasLt.so.13)
//     sanitizer  a part of them under compute-sanitizer: memcheck, racecheck, initcheck, synccheck
//     library    test/cuda, the fixtures, and the tests of edits, hooks, watches and swapped modules, on the GPU
// The speed is measured apart: node bench/cuda/ladder.mjs --hf python3 --out ladder.json
//
// The machine may have neither Node nor a network:
//   npm run build && node scripts/check-cuda.mjs pack persimmon-cuda.tar.xz                  (here, with nvcc)
//   tar -xf persimmon-cuda.tar.xz && cd persimmon/main && export PATH="$PWD/bin:$PATH"       (there)
//   node scripts/check-cuda.mjs native sanitizer library
// The archive has the node that ran this, the packages that tests and library import, dist/, sources and tests, what was built,
// and the reference fixtures ../shared/reference where they are there; not the bundled model (14 MB): `cp -r models persimmon/main/`
// from a checkout there has the tests use it, too. `build` there is needed for another architecture
// or another C++ library only; it takes nvcc, a C++ compiler and CMake.
import { buildForGpu } from "./check-cuda/build.mjs";
import { pack } from "./check-cuda/pack.mjs";
import { cublasLtStage, libraryStage, nativeStage, sanitizerStage } from "./check-cuda/stages.mjs";

/** @type {Record<string, () => Promise<import("./bootstrap/summary.mjs").Totals>>} */
const stages = {
  build: buildForGpu,
  native: nativeStage,
  cublaslt: cublasLtStage,
  sanitizer: sanitizerStage,
  library: libraryStage,
};

const [first, archive, ...more] = process.argv.slice(2);
if (first === "pack") {
  if (archive === undefined || more.length > 0) usage();
  process.exit(await packed(archive));
}
const named = process.argv.slice(2);
if (named.some((name) => !(name in stages))) usage();

/**
 * @param {string} archive
 * @returns {Promise<number>} exit code
 */
async function packed(archive) {
  try {
    await pack(archive);
    return 0;
  } catch (error) {
    process.stderr.write(`${messageOf(error)}\n`);
    return 1;
  }
}

/** @param {unknown} error of a stage, with the end of a failed command's output */
function messageOf(error) {
  const { message, output } = /** @type {{ message: string, output?: string }} */ (error);
  return output === undefined ? message : `${output}\n${message}`;
}

/** @returns {never} */
function usage() {
  process.stderr.write(`check-cuda takes any of ${Object.keys(stages).join(", ")}; or pack FILE.tar.xz\n`);
  process.exit(2);
}

const sum = { passed: 0, failed: 0, skipped: 0, failures: /** @type {string[]} */ ([]) };
for (const name of named.length === 0 ? Object.keys(stages) : named) {
  process.stderr.write(`\n── ${name}\n`);
  try {
    const { passed, failed, skipped, failures } = await stages[name]();
    sum.passed += passed;
    sum.failed += failed;
    sum.skipped += skipped;
    sum.failures.push(...failures.map((failure) => `${name}: ${failure}`));
  } catch (error) {
    sum.failed++;
    sum.failures.push(`${name}: ${messageOf(error)}`);
  }
}
for (const failure of sum.failures) process.stdout.write(`FAILED  ${failure}\n`);
const skipped = sum.skipped > 0 ? `, ${sum.skipped} skipped` : "";
process.stdout.write(`${sum.passed} passed, ${sum.failed} failed${skipped}\n`);
process.exitCode = sum.failed === 0 ? 0 : 1;
