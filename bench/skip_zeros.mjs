#!/usr/bin/env node
// What leaving out the zeros of squared ReLU buys: the same random model with and without, interleaved in one run.
//   node bench/skip_zeros.mjs [--zeros 0.5,0.9,0.95] [--dtype bfloat16] [--rounds 9] [--tokens 12] [--prompt 128] [--threads N]
//                             [--layers 4] [--json]
// The slice shape (hidden 4096, 64 heads, ffn 16384, vocabulary 32,768). Each round decodes with both, one right after the
// other, in an order that alternates, and probes the read bandwidth before and after; the gain is the median of the ratios.
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { BandwidthProbe } from "../dist/src/cli/bench/bandwidth.js";
import { bytesRead } from "../dist/src/cli/bench/measure.js";
import { mlpSparsity, randomModel } from "../dist/src/index.js";

const { values: options } = parseArgs({
  options: {
    zeros: { type: "string", default: "0.5,0.9,0.95" },
    dtype: { type: "string", default: "bfloat16" },
    rounds: { type: "string", default: "9" },
    tokens: { type: "string", default: "12" },
    prompt: { type: "string", default: "128" },
    threads: { type: "string", default: String(availableParallelism()) },
    layers: { type: "string", default: "4" },
    json: { type: "boolean", default: false },
  },
});
const [rounds, tokens, prompt, threads, layers] = ["rounds", "tokens", "prompt", "threads", "layers"].map(
  (name) => Number(options[name]),
);
const shape = { hidden: 4096, layers, heads: 64, ffn: 16384, vocab: 32768 };

const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
const spread = (values, digits = 2) =>
  `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
const ids = (count, round) =>
  Array.from({ length: count }, (_, i) => (i * 7919 + round * 104729 + 17) % shape.vocab);

async function timed(run) {
  const start = performance.now();
  const result = await run();
  return { result, seconds: (performance.now() - start) / 1000 };
}

async function compare(zeros) {
  const make = (skipZeros) =>
    randomModel(shape, { dtype: options.dtype, threads, zeros, skipZeros, maxLength: 2048 });
  const models = { all: make(false), live: make(true) };
  const probe = new BandwidthProbe(models.live.device);
  const text = ids(prompt, 0);
  const { zeroFraction, meanZeroFraction } = await mlpSparsity(models.live, text);
  const positions = prompt + tokens / 2;
  const bytes = {
    all: bytesRead(models.all, positions),
    live: bytesRead(models.live, positions, zeroFraction),
  };
  const seconds = { all: [], live: [] };
  const prefill = { all: [], live: [] };
  const share = { all: [], live: [] };
  const gain = [];
  const prefillGain = [];
  for (let round = 0; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? ["all", "live"] : ["live", "all"]) {
      const model = models[name];
      const filled = await timed(() => model.prefill(ids(prompt, round)));
      await model.generate([1], { kv: filled.result, maxNewTokens: 1, stopAtEos: false }).done;
      const before = await probe.measure();
      const decoded = await timed(
        () => model.generate([2], { kv: filled.result, maxNewTokens: tokens, stopAtEos: false }).done,
      );
      const after = await probe.measure();
      filled.result.release();
      if (round === 0) continue; // the first touch of all weights
      seconds[name].push(decoded.seconds / tokens);
      prefill[name].push(filled.seconds);
      share[name].push(((bytes[name] * tokens) / decoded.seconds / 1e9 / ((before + after) / 2)) * 100);
    }
    if (round === 0) continue;
    gain.push(seconds.all.at(-1) / seconds.live.at(-1));
    prefillGain.push(prefill.all.at(-1) / prefill.live.at(-1));
  }
  probe.release();
  const rate = (name) => seconds[name].map((value) => 1 / value);
  return {
    zeros: meanZeroFraction,
    tokensPerSecond: { all: spread(rate("all"), 1), live: spread(rate("live"), 1) },
    GBPerToken: { all: bytes.all / 1e9, live: bytes.live / 1e9 },
    GBPerSecond: Object.fromEntries(
      ["all", "live"].map((name) => [
        name,
        spread(
          rate(name).map((value) => (value * bytes[name]) / 1e9),
          1,
        ),
      ]),
    ),
    percentOfBandwidth: { all: spread(share.all, 0), live: spread(share.live, 0) },
    gain: spread(gain),
    prefillTokensPerSecond: Object.fromEntries(
      ["all", "live"].map((name) => [
        name,
        spread(
          prefill[name].map((value) => prompt / value),
          0,
        ),
      ]),
    ),
    prefillGain: spread(prefillGain),
  };
}

const results = [];
for (const zeros of options.zeros.split(",").map(Number)) {
  results.push(await compare(zeros));
  globalThis.gc?.();
}
if (options.json) {
  console.log(JSON.stringify(results, null, 2));
} else {
  console.log(
    `${cpus()[0].model}, ${threads} threads, load ${loadavg()[0].toFixed(1)}; ${layers} layers, ${options.dtype}, context ${prompt}, ${rounds} rounds of ${tokens} tokens`,
  );
  console.log("| zeros | | tokens/s | GB/token | GB/s | % of bandwidth | gain | prefill tokens/s |");
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const r of results) {
    for (const name of ["all", "live"]) {
      const gained = name === "live" ? `${r.gain}; prefill ${r.prefillGain}` : "";
      console.log(
        `| ${(r.zeros * 100).toFixed(1)} % | ${name === "all" ? "all read" : "zeros left out"} | ${r.tokensPerSecond[name]} | ${r.GBPerToken[name].toFixed(3)} | ${r.GBPerSecond[name]} | ${r.percentOfBandwidth[name]} | ${gained} | ${r.prefillTokensPerSecond[name]} |`,
      );
    }
  }
}
