#!/usr/bin/env node
// What each means brings on a GPU: eager, + graph, + joined ops, + exact zeros, + int8, + int4, and with --hf Hugging Face's implementation on the
// same card in the same run. Random weights of Persimmon-8B's shape; of the squared ReLUs a set share is zero. In every round each
// takes its turn, in an order that alternates, beside a measured copy of the device's memory, of which the GB/s are a share.
//   node bench/cuda/ladder.mjs [--device cuda|cpu] [--shape hidden=4096,layers=36,heads=64,ffn=16384,vocab=262144] [--zeros 0.9]
//     [--contexts 16,2048,16384] [--rungs eager,"+ graph",…] [--rounds 5] [--tokens 32] [--prefill 4096] [--kv-dtype bfloat16]
//     [--matmul-precision highest|medium] [--chunk 512] [--copy-mib 1024] [--hf python3] [--no-interventions] [--out FILE.json]
// `--chunk`: tokens of a prompt in one pass of ours. Products of 64 rows and more are cuBLASLt's where it is found; PERSIMMON_CUBLASLT=0: our own.
// Each table is printed, and the JSON written, as soon as it is there; whoever fails (no memory, no PyTorch) is left out of that
// table. On a card of 141 GB all rungs and HF fit at once with the full shape and a context of 16,384 (some 125 GB); on a smaller one
// name fewer rungs or contexts.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { parseShape } from "../../dist/src/cli/bench.js";
import { Device } from "../../dist/src/index.js";
import { inTurns, median, spread } from "../side_by_side.mjs";
import { deviceText, takeKernels } from "./addon.mjs";
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
    "matmul-precision": { type: "string", default: "highest" },
    chunk: { type: "string", default: "512" },
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

takeKernels(options.device);
const matmulPrecision = options["matmul-precision"];
const device =
  options.device === "cuda" ? Device.cuda(0, matmulPrecision) : Device.cpu(undefined, matmulPrecision);
// Hugging Face's cache grows from round to round; ours is a fork each time.
const room = Math.max(tokens + 64, (rounds + 1) * tokens);
const ours = new OurSide(shape, Number(options.chunk), {
  device: options.device,
  matmulPrecision,
  zeros,
  kvDtype: options["kv-dtype"],
  maxLength: Math.max(...contexts, prefill) + room,
});
const copy = new CopyBandwidth(device, Number(options["copy-mib"]) * 2 ** 20);
const gpu = deviceText(device);
const results = {
  device: gpu,
  shape,
  zeros,
  matmulPrecision,
  chunk: Number(options.chunk),
  rounds,
  tokens,
  failures: [],
  decode: [],
  prefill: [],
};
const hfNames = options.hf === undefined ? [] : Object.keys(ways);
const hf =
  hfNames.length === 0
    ? undefined
    : await tried(hfNames, () => HfSide.start(options.hf, shape, options.device));
const names = [...ourNames, ...(hf === undefined ? [] : hfNames)];
results.machine = hf && (await tried([], () => hf.ask({ do: "machine" })));

/** What `run` gives; where it fails that is noted, and none of these names is in `left` any more. */
async function tried(those, run, left = new Set()) {
  try {
    return await run();
  } catch (error) {
    const failure = { names: those, error: error.message };
    results.failures.push(failure);
    console.error(`left out: ${those.join(", ")}: ${error.message}`);
    for (const name of those) left.delete(name);
    return undefined;
  }
}

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
    )}; ${100 * zeros} % zeros, keys and values in ${options["kv-dtype"]}, precision ${matmulPrecision}, chunks of ${options.chunk}; ${rounds} rounds of ${tokens} tokens`,
);
if (results.machine !== undefined) console.log(`PyTorch: ${JSON.stringify(results.machine)}`);

for (const context of contexts) {
  const left = new Set(names);
  await tried(ourNames, () => ours.prepare(ourNames, context), left);
  if (hf !== undefined) await tried(hfNames, () => hf.prepare(context, room), left);
  const rows = Object.fromEntries(names.map((name) => [name, []]));
  await inTurns(names, rounds, async (name, round) => {
    if (!left.has(name)) return;
    const copied = copy.measure();
    const decode = () => (name in rungs ? ours.decode(name, tokens) : hf.decode(name, tokens));
    const measured = await tried([name], decode, left);
    if (round > 0 && measured !== undefined) rows[name].push({ ...measured, copied });
  });
  const found = [...left].map((name) => figures(name, context, rows[name]));
  results.decode.push(...found);
  printTable(found);
  save();
}
ours.forget();

if (prefill > 0) {
  const some = names.filter((name) => name !== "eager" && name !== "HF torch.compile");
  const left = new Set(some);
  const seconds = Object.fromEntries(some.map((name) => [name, []]));
  await inTurns(some, Math.min(rounds, 3), async (name, round) => {
    if (!left.has(name)) return;
    const run = () => (name in rungs ? ours.prefill(name, prefill, round) : hf.prefill(prefill));
    const time = await tried([name], run, left);
    if (round > 0 && time !== undefined) seconds[name].push(time);
  });
  // Multiply-adds of the layers' matrices, two operations each.
  const perToken = 2 * shape.layers * (4 * shape.hidden ** 2 + 2 * shape.hidden * shape.ffn);
  const found = [...left].map((name) => ({
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
