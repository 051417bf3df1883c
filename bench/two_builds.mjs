#!/usr/bin/env node
// Two builds of the addon beside each other, each in a process of its own with the same random weights, which take turns between probes
// of the read bandwidth: what a change of a kernel does to whole models.
//   node bench/two_builds.mjs BEFORE.node AFTER.node [--batch 1,5,16] [--dtype bfloat16] [--zeros 0.5] [--no-skip-zeros] [--rounds 9] [--tokens 16]
//                             [--prompt 16] [--threads N] [--shape hidden=4096,layers=4,heads=64,ffn=16384,vocab=32768] [--matmul-precision medium]
// A build is build/Release/persimmon.node: copy it, change something, and build anew.
import { fork } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { parseShape } from "../dist/src/cli/bench.js";
import { BandwidthProbe, randomModel } from "../dist/src/index.js";
import { promptIds } from "../dist/src/research/model_speed.js";
import {
  decodeTogether,
  inTurns,
  median,
  numbers,
  sharedOptions,
  sliceShape,
  spread,
} from "./side_by_side.mjs";

const text = (value) => ({ type: "string", default: value });
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    ...sharedOptions,
    prompt: text("16"),
    tokens: text("16"),
    batch: text("1,5,16"),
    dtype: text("bfloat16"),
    zeros: text("0.5"),
    shape: { type: "string" },
    "no-skip-zeros": { type: "boolean", default: false },
  },
});
const { threads, rounds, tokens, prompt, zeros } = numbers(options, ["zeros"]);

/** Answers every number of texts with how they decode together. */
function serve() {
  const shape = { ...sliceShape, ...(options.shape !== undefined && parseShape(options.shape)) };
  const model = randomModel(shape, {
    dtype: options.dtype,
    threads,
    zeros,
    matmulPrecision: options["matmul-precision"],
    skipZeros: !options["no-skip-zeros"],
    maxLength: Math.max(1024, 2 * (prompt + tokens)),
  });
  const probe = new BandwidthProbe(model.device);
  process.on("message", async (batch) => {
    const prompts = Array.from({ length: batch }, (_, row) => promptIds(model, prompt, row));
    process.send(await decodeTogether(model, probe, prompts, tokens));
  });
  process.send("ready");
}

async function start(addon) {
  const env = { ...process.env, PERSIMMON_ADDON: resolve(addon) };
  const child = fork(import.meta.filename, process.argv.slice(2), { env });
  child.once("exit", (code) => code && process.exit(code));
  await once(child, "message");
  return child;
}

async function compare() {
  if (positionals.length !== 2) {
    console.error("give two builds: node bench/two_builds.mjs BEFORE.node AFTER.node");
    process.exit(1);
  }
  const builds = [await start(positionals[0]), await start(positionals[1])];
  console.log(`${options.dtype}, ${zeros} zeros, ${threads} threads, ${rounds} rounds of ${tokens} tokens`);
  console.log("| texts | before, tokens/s | after, tokens/s | gain | GB/s that the machine reads |");
  console.log("| --- | --- | --- | --- | --- |");
  for (const batch of options.batch.split(",").map(Number)) {
    const rates = [[], []];
    const bandwidth = [];
    await inTurns([0, 1], rounds, async (build, round) => {
      builds[build].send(batch);
      const [answer] = await once(builds[build], "message");
      if (round === 0) return;
      rates[build].push(answer.rate);
      bandwidth.push(answer.bandwidth);
    });
    const gains = rates[1].map((rate, round) => rate / rates[0][round]);
    console.log(
      `| ${batch} | ${spread(rates[0], 1)} | ${spread(rates[1], 1)} | ${spread(gains)} | ${median(bandwidth).toFixed(1)} |`,
    );
  }
  for (const build of builds) build.kill();
}

if (process.send === undefined) await compare();
else serve();
