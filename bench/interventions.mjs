#!/usr/bin/env node
// What interventions cost: decode speed without any and with each kind, interleaved in one run on one machine.
//   node bench/interventions.mjs [--demo] [--rounds 12] [--tokens 16] [--threads N] [--json]
// Each round runs every variant once, in an order that rotates, and the plain decode right before each: on shared machines
// the bandwidth changes within seconds. The cost of a variant is the median of its time for a token over that of the plain
// decode before it.
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { edits, loadModel, nn, ops, randomModel } from "../dist/src/index.js";
import { median } from "./side_by_side.mjs";

const { values: options } = parseArgs({
  options: {
    demo: { type: "boolean", default: false },
    rounds: { type: "string", default: "12" },
    tokens: { type: "string", default: "16" },
    threads: { type: "string", default: String(availableParallelism()) },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(options.rounds);
const tokens = Number(options.tokens);
const threads = Number(options.threads);
const slice = { hidden: 4096, layers: 4, heads: 64, ffn: 16384, vocab: 32768 };
const model = options.demo
  ? await loadModel(undefined, { threads })
  : randomModel(slice, { dtype: "bfloat16", threads, maxLength: 2048 });
const { config } = model;

// The identity: what is measured is the break itself, not an MLP in JavaScript (134 M multiply-adds of the slice shape).
class Identity extends nn.HostModule {
  run(x, out) {
    out.set(x);
  }
}

class WithHostModule extends nn.Module {
  constructor(base) {
    super();
    this.base = base;
    this.after = new Identity();
  }
  forward(x) {
    return this.after.call(this.base.call(x));
  }
}

class SquaredRelu extends nn.Module {
  constructor(base) {
    super();
    this.base = base;
  }
  forward(x) {
    const act = nn.tap("act", ops.reluSquared(this.base.denseHTo4h.call(x)));
    return this.base.dense4hToH.call(act);
  }
}

const direction = Float32Array.from({ length: config.hiddenSize }, (_, i) => Math.sin(i) * 0.01);
const units = Array.from({ length: 100 }, (_, i) => i * 7);
const swapped = (make) => {
  const { mlp } = model.layers[1];
  model.layers[1].mlp = make(mlp);
  return { dispose: () => (model.layers[1].mlp = mlp) };
};
/** @type {Record<string, { set?: () => { dispose(): void }, generate?: object }>} */
const variants = {
  "no intervention": {},
  "watch layers.*.out": { set: () => model.watch("layers.*.out", () => {}) },
  "edit: steering on one layer": { set: () => model.edit("layers.1.out", edits.add(direction)) },
  "edit: 100 neurons of each layer": { set: () => model.edit("layers.*.mlp.act", edits.zero({ units })) },
  "count firing in all layers": { set: () => model.countFiring("layers.*.mlp.act") },
  "module of ops in one layer": { set: () => swapped((mlp) => new SquaredRelu(mlp)) },
  "HostModule (identity) behind one MLP": { set: () => swapped((mlp) => new WithHostModule(mlp)) },
  "hook on one layer's out": { set: () => model.hook("layers.1.out", () => {}) },
  "hook on every layer's out": { set: () => model.hook("layers.*.out", () => {}) },
  "pattern of one layer watched": { set: () => model.watch("layers.1.attn.pattern", () => {}) },
  breakEverywhere: { generate: { breakEverywhere: true } },
  "capture: false (JavaScript for each op)": { generate: { capture: false } },
};

const prompt = Array.from({ length: 32 }, (_, i) => (i * 37 + 5) % Math.min(1000, config.vocabSize));
const prefix = await model.prefill(prompt);

// When each pass began: a token takes from one to the next, sampling and all.
const begun = [];
const { runtime } = model;
const forward = runtime.forward.bind(runtime);
runtime.forward = (...given) => {
  begun.push(performance.now());
  return forward(...given);
};

/** Milliseconds for a token, of the tokens after the first three: with those the plan is recorded. */
async function measure({ set, generate }) {
  const handle = set?.();
  const kv = prefix.fork();
  try {
    begun.length = 0;
    await model.generate([7], { kv, maxNewTokens: tokens + 4, stopAtEos: false, ...generate }).done;
    return (begun.at(-1) - begun[3]) / (begun.length - 4);
  } finally {
    kv.release();
    handle?.dispose();
  }
}

const names = Object.keys(variants);
const milliseconds = Object.fromEntries(names.map((name) => [name, []]));
const costs = Object.fromEntries(names.map((name) => [name, []]));
for (const name of names) await measure(variants[name]);
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < names.length; i++) {
    const name = names[(i + round) % names.length];
    const plain = await measure({});
    const time = await measure(variants[name]);
    milliseconds[name].push(time);
    costs[name].push(time / plain);
  }
}
const results = names.map((name) => {
  const ratios = costs[name];
  return {
    name,
    millisecondsPerToken: median(milliseconds[name]),
    tokensPerSecond: 1000 / median(milliseconds[name]),
    cost: median(ratios) - 1,
    spread: [Math.min(...ratios) - 1, Math.max(...ratios) - 1],
  };
});
const lateness = await timerLateness();
const machine = {
  cpu: cpus()[0].model,
  threads,
  instructionSet: model.device.instructionSet,
  load: loadavg(),
};
const what = options.demo
  ? "demo model"
  : Object.entries(slice)
      .map((pair) => pair.join(" "))
      .join(", ");

if (options.json) {
  console.log(JSON.stringify({ what, machine, rounds, tokens, results, lateness }, null, 2));
} else {
  const percent = (value) => `${(value * 100).toFixed(1)} %`;
  console.log(
    `${what}; ${machine.cpu}, ${threads} threads, ${machine.instructionSet}; ${rounds} rounds of ${tokens} tokens\n`,
  );
  console.log(
    "| intervention | ms/token | tokens/s | cost, median of rounds (min–max) |\n| --- | --- | --- | --- |",
  );
  for (const { name, millisecondsPerToken, tokensPerSecond, cost, spread } of results) {
    const bracket = `${percent(spread[0])} – ${percent(spread[1])}`;
    console.log(
      `| ${name} | ${millisecondsPerToken.toFixed(3)} | ${tokensPerSecond.toFixed(1)} | ${percent(cost)} (${bracket}) |`,
    );
  }
  console.log(
    `\nA 5 ms timer during a generation of ${lateness.ticks} ticks: median ${lateness.median.toFixed(2)} ms late, p99 ${lateness.p99.toFixed(2)} ms, at most ${lateness.most.toFixed(2)} ms.`,
  );
}

/** How late a 5 ms timer fires while a generation runs: the main thread is free, or it is not. */
async function timerLateness() {
  const late = [];
  let expected = performance.now() + 5;
  const timer = setInterval(() => {
    late.push(Math.max(0, performance.now() - expected));
    expected = performance.now() + 5;
  }, 5);
  await model.generate(prompt, { maxNewTokens: options.demo ? 2000 : 120, stopAtEos: false }).done;
  clearInterval(timer);
  late.sort((a, b) => a - b);
  return {
    ticks: late.length,
    median: late[Math.floor(late.length / 2)],
    p99: late[Math.floor(late.length * 0.99)],
    most: late.at(-1),
  };
}
