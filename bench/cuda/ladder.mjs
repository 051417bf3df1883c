#!/usr/bin/env node
// What each means brings on a GPU: eager, + graph, + joined ops, + exact zeros, + int8, + int4, and with --hf Hugging Face's implementation on the
// same card in the same run. Random weights of Persimmon-8B's shape; of the squared ReLUs a set share is zero. In every round each
// takes its turn, in an order that alternates, beside a measured copy of the device's memory, of which the GB/s are a share.
//   node bench/cuda/ladder.mjs [--device cuda|cpu] [--shape hidden=4096,layers=36,heads=64,ffn=16384,vocab=262144] [--zeros 0.9]
//     [--contexts 16,2048,16384] [--rungs eager,"+ graph",…] [--rounds 5] [--tokens 32] [--prefill 4096] [--kv-dtype bfloat16]
//     [--copy-mib 1024] [--hf python3] [--no-interventions] [--out FILE.json]
// Each table is printed, and the JSON written, as soon as it is there. On a card of 141 GB all rungs and HF fit at once with the
// full shape and a context of 16,384 (some 125 GB); on a smaller one name fewer rungs or contexts.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseShape } from "../../dist/src/cli/bench.js";
import { Device } from "../../dist/src/index.js";
import { inTurns, median, spread } from "../side_by_side.mjs";
import { CopyBandwidth } from "./copy_bandwidth.mjs";
import { HfSide, ways } from "./hf_side.mjs";
import { OurSide, rungs } from "./our_side.mjs";
import { printTable } from "./table.mjs";

const { values: options } = parseArgs({
  options: {
    device: { type: "string", default: "cuda" },
    shape: { type: "string", default: "" },
    zeros: { type: "string", default: "0.9" },
    contexts: { type: "string", default: "16,2048,16384" },
    rungs: { type: "string", default: Object.keys(rungs).join(",") },
    rounds: { type: "string", default: "5" },
    tokens: { type: "string", default: "32" },
    prefill: { type: "string", default: "4096" },
    "kv-dtype": { type: "string", default: "bfloat16" },
    "copy-mib": { type: "string", default: "1024" },
    hf: { type: "string" },
    interventions: { type: "boolean", default: true },
    out: { type: "string" },
  },
  allowNegative: true,
});
const full = { hidden: 4096, layers: 36, heads: 64, ffn: 16384, vocab: 262144 };
const shape = { ...full, ...(options.shape !== "" && parseShape(options.shape)) };
const [rounds, tokens, prefill, zeros] = ["rounds", "tokens", "prefill", "zeros"].map((name) =>
  Number(options[name]),
);
const contexts = options.contexts.split(",").map(Number);
const ourNames = options.rungs.split(",");
const unknown = ourNames.find((name) => !(name in rungs));
if (unknown !== undefined) {
  console.error(`there is no rung "${unknown}"; there are: ${Object.keys(rungs).join(", ")}`);
  process.exit(1);
}

// The addon of `npm run check:cuda-build`, where the usual one may have no kernels for GPUs.
const withKernels = join(import.meta.dirname, "..", "..", "build", "Release", "persimmon_cuda.node");
if (options.device === "cuda" && existsSync(withKernels)) process.env.PERSIMMON_ADDON ??= withKernels;
const device = options.device === "cuda" ? Device.cuda() : Device.cpu();
// Hugging Face's cache grows from round to round; ours is a fork each time.
const room = Math.max(tokens + 64, (rounds + 1) * tokens);
const ours = new OurSide(shape, {
  device: options.device,
  zeros,
  kvDtype: options["kv-dtype"],
  maxLength: Math.max(...contexts, prefill) + room,
});
const copy = new CopyBandwidth(device, Number(options["copy-mib"]) * 2 ** 20);
const hf = options.hf === undefined ? undefined : await HfSide.start(options.hf, shape, options.device);
const names = [...ourNames, ...(hf === undefined ? [] : Object.keys(ways))];
const results = { device: device.gpu?.name ?? "CPU", shape, zeros, rounds, tokens, decode: [], prefill: [] };
results.machine = await hf?.ask({ do: "machine" });

function save() {
  if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify(results, null, 2)}\n`);
}

/** Median figures of one way to decode from its seconds, bytes and copies in each round. */
function figures(name, context, rows) {
  const rates = rows.map(({ seconds }) => 1 / seconds);
  const gigabytes = rows.map(({ seconds, bytes }) => bytes / 1e9 / seconds);
  return {
    name,
    context,
    tokensPerSecond: spread(rates, 1),
    millisecondsPerToken: 1000 / median(rates),
    GBPerToken: median(rows.map(({ bytes }) => bytes)) / 1e9,
    GBPerSecond: median(gigabytes),
    percentOfCopy: median(rows.map(({ copied }, at) => (100 * gigabytes[at]) / copied)),
    copyGBPerSecond: median(rows.map(({ copied }) => copied)),
  };
}

console.log(
  `${results.device}; ${Object.entries(shape)
    .map((pair) => pair.join(" "))
    .join(
      ", ",
    )}; ${100 * zeros} % zeros, keys and values in ${options["kv-dtype"]}; ${rounds} rounds of ${tokens} tokens`,
);
if (results.machine !== undefined) console.log(`PyTorch: ${JSON.stringify(results.machine)}`);

for (const context of contexts) {
  await ours.prepare(ourNames, context);
  await hf?.prepare(context, room);
  const rows = Object.fromEntries(names.map((name) => [name, []]));
  await inTurns(names, rounds, async (name, round) => {
    const copied = copy.measure();
    const measured = name in rungs ? await ours.decode(name, tokens) : await hf.decode(name, tokens);
    if (round > 0) rows[name].push({ ...measured, copied });
  });
  const found = names.map((name) => figures(name, context, rows[name]));
  results.decode.push(...found);
  printTable(found);
  save();
}

if (prefill > 0) {
  const some = names.filter((name) => name !== "eager" && name !== "HF torch.compile");
  const seconds = Object.fromEntries(some.map((name) => [name, []]));
  await inTurns(some, Math.min(rounds, 3), async (name, round) => {
    const time = name in rungs ? await ours.prefill(name, prefill, round) : await hf.prefill(prefill);
    if (round > 0) seconds[name].push(time);
  });
  // Multiply-adds of the layers' matrices, two operations each.
  const perToken = 2 * shape.layers * (4 * shape.hidden ** 2 + 2 * shape.hidden * shape.ffn);
  const found = some.map((name) => ({
    name,
    prompt: prefill,
    tokensPerSecond: prefill / median(seconds[name]),
    tflops: (1e-12 * perToken * prefill) / median(seconds[name]),
  }));
  results.prefill.push(...found);
  printTable(found);
  save();
}

if (options.interventions) {
  const rung = ourNames.includes("+ exact zeros") ? "+ exact zeros" : ourNames.at(-1);
  await ours.prepare([rung], contexts[0]);
  const seconds = Object.fromEntries(ours.variants.map((name) => [name, []]));
  await inTurns(ours.variants, 2 * rounds, async (name, round) => {
    const { seconds: time } = await ours.decode(rung, tokens, name);
    if (round > 0) seconds[name].push(time);
  });
  results.interventions = ours.variants.map((name) => ({
    rung,
    intervention: name,
    millisecondsPerToken: 1000 * median(seconds[name]),
    costPercent: 100 * (median(seconds[name].map((time, at) => time / seconds.plain[at])) - 1),
  }));
  printTable(results.interventions);
  save();
}
copy.release();
hf?.stop();
