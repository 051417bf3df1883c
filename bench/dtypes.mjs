#!/usr/bin/env node
// What the type of the weights costs and brings: random models of the same shape, interleaved in one run.
//   node bench/dtypes.mjs [--dtypes bfloat16,int8] [--zeros 0.5,0.9] [--rounds 9] [--tokens 12] [--prompt 128] [--threads N]
//                         [--layers 4] [--matmul-precision medium] [--json]
// The zeros of squared ReLU are left out in all of them, as is the rule. What rounding does to results is in
// bench/quantization.mjs.
import { parseArgs } from "node:util";
import { randomModel } from "../dist/src/index.js";
import { numbers, print, sharedOptions, sideBySide, sliceShape } from "./side_by_side.mjs";

const { values: options } = parseArgs({
  options: {
    dtypes: { type: "string", default: "bfloat16,int8" },
    zeros: { type: "string", default: "0.5,0.9" },
    ...sharedOptions,
  },
});
const { threads, layers, ...counts } = numbers(options);
const matmulPrecision = options["matmul-precision"];

const results = [];
for (const zeros of options.zeros.split(",").map(Number)) {
  const models = {};
  for (const dtype of options.dtypes.split(",")) {
    models[dtype] = randomModel(
      { ...sliceShape, layers },
      { dtype, threads, matmulPrecision, zeros, maxLength: 2048 },
    );
  }
  results.push({ setting: `${100 * zeros} % zeros`, rows: await sideBySide(models, counts) });
  globalThis.gc?.();
}
print(results, options, "model");
