#!/usr/bin/env node
// The matrix products of a layer by themselves, in microseconds, GB/s of weights (as a share of a measured copy) and Tflop/s: where a
// token's or a prompt's time goes. Each is recorded for all layers, whose weights together are far above the caches, and
// replayed as a graph. Of what the down projection is given a set share is zero, in the same places for all rows.
//   node bench/cuda/products.mjs [--device cuda|cpu] [--dtypes bfloat16,int8,int4] [--rows 1,2,8,64,512,4096] [--precisions highest,medium]
//     [--zeros 0.9] [--shape hidden=4096,layers=4,heads=64,ffn=16384] [--rounds 7] [--copy-mib 1024] [--peak TFLOPS] [--out FILE.json]
// `--peak`: the card's rate of bfloat16 matrix products, of which the Tflop/s are a share (the `matrixTflops` that ladder.mjs prints with --hf).
// Products of 64 rows and more (int8: 256) are cuBLASLt's where it is found; PERSIMMON_CUBLASLT=0: our own.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parseShape } from "../../dist/src/cli/bench.js";
import { randomModel, Tensor } from "../../dist/src/index.js";
import { deviceText, takeKernels } from "./addon.mjs";
import { CopyBandwidth } from "./copy_bandwidth.mjs";
import { activations, replayed } from "./replayed.mjs";
import { printTable } from "./table.mjs";

const text = (value) => ({ type: "string", default: value });
const { values: options } = parseArgs({
  options: {
    device: text("cuda"),
    dtypes: text("bfloat16,int8,int4"),
    rows: text("1,2,8,64,512,4096"),
    precisions: text("highest,medium"),
    zeros: text("0.9"),
    shape: text(""),
    rounds: text("7"),
    "copy-mib": text("1024"),
    peak: { type: "string" },
    out: { type: "string" },
  },
});
const usual = { hidden: 4096, layers: 4, heads: 64, ffn: 16384, vocab: 1024 };
const shape = { ...usual, ...(options.shape !== "" && parseShape(options.shape)) };
const [zeros, rounds, peak] = ["zeros", "rounds", "peak"].map((name) => Number(options[name]));

takeKernels(options.device);

const products = {
  "queries, keys, values": ({ selfAttn }) => selfAttn.queryKeyValue,
  "attention's output": ({ selfAttn }) => selfAttn.dense,
  up: ({ mlp }) => mlp.denseHTo4h,
  down: ({ mlp }) => mlp.dense4hToH,
};

const found = [];
let copy;
for (const precision of options.precisions.split(",")) {
  for (const dtype of options.dtypes.split(",")) {
    const settings = {
      device: options.device,
      dtype,
      matmulPrecision: precision,
      maxLength: 64,
      kvContexts: 1,
      zeros,
    };
    const model = randomModel(shape, settings);
    const { device } = model;
    copy ??= new CopyBandwidth(device, Number(options["copy-mib"]) * 2 ** 20);
    for (const count of options.rows.split(",").map(Number)) {
      const table = [];
      for (const [name, of] of Object.entries(products)) {
        const modules = model.layers.map(of);
        const [outFeatures, inFeatures] = modules[0].weight.shape;
        const numbers = activations(count, inFeatures, name === "down" ? zeros : 0);
        const x = Tensor.from(device, numbers, [count, inFeatures]).keep();
        const { seconds, bytes } = await replayed(device, modules, rounds, (module) => module.call(x));
        x.release();
        const tflops = (2e-12 * count * inFeatures * outFeatures) / seconds;
        table.push({
          precision,
          dtype,
          rows: count,
          product: name,
          microseconds: 1e6 * seconds,
          GBPerSecond: bytes / 1e9 / seconds,
          percentOfCopy: (100 * bytes) / 1e9 / seconds / copy.measure(),
          tflops,
          ...(options.peak !== undefined && { percentOfPeak: (100 * tflops) / peak }),
        });
      }
      found.push(...table);
      printTable(table);
      if (options.out !== undefined) {
        writeFileSync(
          options.out,
          `${JSON.stringify({ device: deviceText(device), shape, found }, null, 2)}\n`,
        );
      }
    }
  }
}
