#!/usr/bin/env node
// What leaving out the zeros of squared ReLU buys: the same random model with and without, interleaved in one run.
//   node bench/skip_zeros.mjs [--zeros 0.5,0.9,0.95] [--dtype bfloat16] [--rounds 9] [--tokens 12] [--prompt 128] [--threads N]
//                             [--layers 4] [--matmul-precision medium] [--json]
import { parseArgs } from "node:util";
import { randomModel } from "../dist/src/index.js";
import { numbers, print, sharedOptions, sideBySide, sliceShape } from "./side_by_side.mjs";

const { values: options } = parseArgs({
  options: {
    zeros: { type: "string", default: "0.5,0.9,0.95" },
    dtype: { type: "string", default: "bfloat16" },
    ...sharedOptions,
  },
});
const { threads, layers, ...counts } = numbers(options);
const matmulPrecision = options["matmul-precision"];

const results = [];
for (const zeros of options.zeros.split(",").map(Number)) {
  const make = (skipZeros) =>
    randomModel(
      { ...sliceShape, layers },
      { dtype: options.dtype, threads, matmulPrecision, zeros, skipZeros, maxLength: 2048 },
    );
  const rows = await sideBySide({ "all read": make(false), "zeros left out": make(true) }, counts);
  results.push({ setting: `${(100 * rows["all read"].zeros).toFixed(1)} %, ${options.dtype}`, rows });
  globalThis.gc?.();
}
print(results, options, "zeros");
