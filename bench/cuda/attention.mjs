#!/usr/bin/env node
// Attention to a cache by itself, in microseconds, GB/s of keys and values (as a share of a measured copy) and Tflop/s: of one token a
// text, and of a chunk of a prompt. Recorded for all layers and replayed as a graph.
//   node bench/cuda/attention.mjs [--device cuda|cpu] [--kv-dtypes bfloat16,int8] [--contexts 128,2048,16384] [--texts 1,16] [--chunks 512,2048]
//     [--precisions highest,medium] [--shape hidden=4096,layers=8,heads=64] [--rounds 7] [--copy-mib 1024] [--out FILE.json]
// The precision matters to chunks alone.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parseShape } from "../../dist/src/cli/bench.js";
import { randomModel, Tensor } from "../../dist/src/index.js";
import { rowsOf } from "../../dist/src/runtime/rows.js";
import { eagerStep } from "../../dist/src/runtime/step.js";
import * as ops from "../../dist/src/tensor/ops/index.js";
import { deviceText, takeKernels } from "./addon.mjs";
import { CopyBandwidth } from "./copy_bandwidth.mjs";
import { activations, replayed } from "./replayed.mjs";
import { printTable } from "./table.mjs";

const text = (value) => ({ type: "string", default: value });
const { values: options } = parseArgs({
  options: {
    device: text("cuda"),
    "kv-dtypes": text("bfloat16,int8"),
    contexts: text("128,2048,16384"),
    texts: text("1,16"),
    chunks: text("512,2048"),
    precisions: text("highest,medium"),
    shape: text(""),
    rounds: text("7"),
    "copy-mib": text("1024"),
    out: { type: "string" },
  },
});
const usual = { hidden: 4096, layers: 8, heads: 64, ffn: 256, vocab: 1024 };
const shape = { ...usual, ...(options.shape !== "" && parseShape(options.shape)) };
const rounds = Number(options.rounds);
const [contexts, texts, chunks] = ["contexts", "texts", "chunks"].map((name) =>
  options[name].split(",").filter(Boolean).map(Number),
);

takeKernels(options.device);

/** Of so many texts behind `context` positions each, `tokens` more. */
async function measure(model, context, batch, tokens) {
  const { device, kv } = model;
  const sequences = Array.from({ length: batch }, () => kv.createSequence());
  const entries = sequences.map((sequence) => {
    sequence.extend(context + tokens);
    return { sequence, ids: Array(tokens).fill(1), logits: "last" };
  });
  const phase = tokens === 1 ? "decode" : "prefill";
  const rows = rowsOf(entries, Array(batch).fill(context), phase, 0);
  const { step } = eagerStep(device, kv, entries, rows);
  const numbers = activations(batch * tokens, 3 * shape.hidden);
  const qkv = Tensor.from(device, numbers, [batch * tokens, 3 * shape.hidden]).keep();
  const layers = model.layers.map(({ selfAttn }, layer) => ({ selfAttn, cache: step.cache(layer) }));
  const { seconds } = await replayed(device, layers, rounds, ({ selfAttn, cache }) => {
    const { qLayernorm: q, kLayernorm: k, heads, rotary } = selfAttn;
    return ops.fusedAttention(qkv, heads, { q, k, epsilon: q.epsilon }, rotary, cache).z;
  });
  qkv.release();
  for (const sequence of sequences) sequence.release();
  const keys = batch * (context + tokens);
  // A chunk's tokens see the context and, on average, half of the chunk: two products of as many multiply-adds as the hidden size.
  const products = batch * tokens * (context + tokens / 2) * shape.hidden * 2;
  return { seconds, bytes: (keys * kv.bytesPerToken) / shape.layers, tflops: (2e-12 * products) / seconds };
}

const found = [];
let copy;
for (const precision of options.precisions.split(",")) {
  for (const dtype of options["kv-dtypes"].split(",")) {
    const { device } = options;
    const longest = Math.max(...contexts) + Math.max(1, ...chunks);
    const settings = { device, dtype: "bfloat16", kvDtype: dtype, matmulPrecision: precision };
    const model = randomModel(shape, { ...settings, maxLength: longest, kvContexts: Math.max(1, ...texts) });
    copy ??= new CopyBandwidth(model.device, Number(options["copy-mib"]) * 2 ** 20);
    const cases = [
      ...(found.some((row) => row["kv-dtype"] === dtype) ? [] : texts.map((batch) => [batch, 1])),
      ...chunks.map((tokens) => [1, tokens]),
    ];
    for (const [batch, tokens] of cases) {
      const table = [];
      for (const context of contexts) {
        const { seconds, bytes, tflops } = await measure(model, context, batch, tokens);
        const GBPerSecond = bytes / 1e9 / seconds;
        table.push({
          precision,
          "kv-dtype": dtype,
          texts: batch,
          tokens,
          context,
          microseconds: 1e6 * seconds,
          GBPerSecond,
          percentOfCopy: (100 * GBPerSecond) / copy.measure(),
          tflops,
        });
      }
      found.push(...table);
      printTable(table);
      if (options.out !== undefined) {
        writeFileSync(
          options.out,
          `${JSON.stringify({ device: deviceText(model.device), shape, found }, null, 2)}\n`,
        );
      }
    }
  }
}
