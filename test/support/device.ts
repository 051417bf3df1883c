/**
 * Where the models of tests compute that may run anywhere: on a GPU with `PERSIMMON_TEST_DEVICE=cuda`, as `npm run test:cuda` and
 * scripts/check-cuda.mjs set it together with the addon, or on the CPU.
 */
export const testDevice = process.env.PERSIMMON_TEST_DEVICE === "cuda" ? "cuda" : "cpu";
