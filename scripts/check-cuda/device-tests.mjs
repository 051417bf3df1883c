import { join } from "node:path";
import { root } from "../bootstrap/paths.mjs";

/** Tests of the library that run on a CPU and on a GPU alike: the fixtures, and edits, hooks, watches and swapped modules. */
export const deviceTests = [
  "test/model/fixtures.test.ts",
  ...["editing", "hooks", "plans", "swapping", "watching"].map(
    (name) => `test/research/interventions/${name}.test.ts`,
  ),
];

/**
 * What has them run on a GPU.
 * @param {string} addon its file in build/Release
 */
export function onGpu(addon) {
  return { PERSIMMON_TEST_DEVICE: "cuda", PERSIMMON_ADDON: join(root, "build", "Release", addon) };
}
