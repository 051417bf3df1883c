// Models timed beside each other: in every round each decodes in its turn, in an order that alternates, between probes of the
// read bandwidth, because a shared machine changes from second to second. Gains are medians of the rounds' ratios.
import { availableParallelism, cpus, loadavg } from "node:os";
import { BandwidthProbe, mlpSparsity } from "../dist/src/index.js";
import { bytesRead, promptIds } from "../dist/src/research/model_speed.js";

export { sliceShape } from "../dist/src/cli/bench.js";
export const smallShape = { hidden: 1024, layers: 12, heads: 16, ffn: 4096, vocab: 32768 };

/** Options that every such script has. */
export const sharedOptions = {
  rounds: { type: "string", default: "9" },
  tokens: { type: "string", default: "12" },
  prompt: { type: "string", default: "128" },
  threads: { type: "string", default: String(availableParallelism()) },
  layers: { type: "string", default: "4" },
  "matmul-precision": { type: "string", default: "highest" },
  json: { type: "boolean", default: false },
};

/** Those options as numbers, and `more`. */
export function numbers(options, more = []) {
  const names = ["rounds", "tokens", "prompt", "threads", "layers", ...more];
  return Object.fromEntries(names.map((name) => [name, Number(options[name])]));
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Calls `run(name, round)` for every name in every round, in an order that alternates; round 0 touches all weights first. */
export async function inTurns(names, rounds, run) {
  for (let round = 0; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? names : [...names].reverse()) await run(name, round);
  }
}

/** "median (least–most)" */
export function spread(values, digits = 2) {
  return `${median(values).toFixed(digits)} (${Math.min(...values).toFixed(digits)}–${Math.max(...values).toFixed(digits)})`;
}

export async function timed(run) {
  const start = performance.now();
  const result = await run();
  return { result, seconds: (performance.now() - start) / 1000 };
}

/** Tokens per second that texts decode at together, what their prompts take left out, and the bandwidth around that. */
export async function decodeTogether(model, probe, prompts, tokens) {
  const run = (maxNewTokens) => timed(() => model.generateBatch(prompts, { maxNewTokens, stopAtEos: false }));
  const short = await run(1);
  const before = await probe.measure();
  const long = await run(1 + tokens);
  const bandwidth = (before + (await probe.measure())) / 2;
  return { rate: (prompts.length * tokens) / (long.seconds - short.seconds), bandwidth };
}

/**
 * @param models by name; gains are over the first
 * @returns by name: strings of the figures, and `zeros`, the share of zeros of each model's squared ReLUs
 */
export async function sideBySide(models, { rounds, tokens, prompt }) {
  const names = Object.keys(models);
  const probe = new BandwidthProbe(models[names[0]].device);
  const figures = {};
  for (const name of names) {
    const ids = promptIds(models[name], prompt, 0);
    const { meanZeroFraction } = await mlpSparsity(models[name], ids, { progress: false });
    figures[name] = { zeros: meanZeroFraction, decode: [], prefill: [], bandwidth: [] };
  }
  await inTurns(names, rounds, async (name, round) => {
    const model = models[name];
    const filled = await timed(() => model.prefill(promptIds(model, prompt, round)));
    await model.generate([1], { kv: filled.result, maxNewTokens: 1, stopAtEos: false }).done;
    const traffic = await model.device.weightTraffic();
    const before = await probe.measure();
    const decoded = await timed(
      () => model.generate([2], { kv: filled.result, maxNewTokens: tokens, stopAtEos: false }).done,
    );
    const after = await probe.measure();
    const { skipped } = await model.device.weightTraffic();
    filled.result.release();
    if (round === 0) return;
    const { decode, prefill, bandwidth } = figures[name];
    figures[name].leftOut = (skipped - traffic.skipped) / tokens;
    decode.push(tokens / decoded.seconds);
    prefill.push(prompt / filled.seconds);
    bandwidth.push((before + after) / 2);
  });
  probe.release();
  const gains = (name, key) => figures[name][key].map((rate, round) => rate / figures[names[0]][key][round]);
  return Object.fromEntries(
    names.map((name) => {
      const { zeros, leftOut, decode, prefill, bandwidth } = figures[name];
      const bytes = bytesRead(models[name], prompt + tokens / 2, leftOut);
      const row = {
        zeros,
        tokensPerSecond: spread(decode, 1),
        GBPerToken: bytes / 1e9,
        GBLeftOutPerToken: leftOut / 1e9,
        GBPerSecond: spread(
          decode.map((rate) => (rate * bytes) / 1e9),
          1,
        ),
        percentOfBandwidth: spread(
          decode.map((rate, at) => (100 * rate * bytes) / 1e9 / bandwidth[at]),
          0,
        ),
        gain: spread(gains(name, "decode")),
        prefillTokensPerSecond: spread(prefill, 0),
        prefillGain: spread(gains(name, "prefill")),
      };
      return [name, row];
    }),
  );
}

/** Prints results of several settings, `{ setting, rows: sideBySide(…) }`, as a table or as JSON. */
export function print(results, options, what) {
  if (options.json) {
    console.log(JSON.stringify(results, null, 2));
    return;
  }
  const { layers, prompt, rounds, tokens, threads } = options;
  console.log(
    `${cpus()[0].model}, ${threads} threads, load ${loadavg()[0].toFixed(1)}; ${layers} layers, context ${prompt}, ${rounds} rounds of ${tokens} tokens`,
  );
  console.log(
    `| ${what} | | tokens/s | GB/token | left out | GB/s | % of bandwidth | gain | prefill tokens/s | gain |`,
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const { setting, rows } of results) {
    for (const [name, r] of Object.entries(rows)) {
      console.log(
        `| ${setting} | ${name} | ${r.tokensPerSecond} | ${r.GBPerToken.toFixed(3)} | ${r.GBLeftOutPerToken.toFixed(3)} | ${r.GBPerSecond} | ${r.percentOfBandwidth} | ${r.gain} | ${r.prefillTokensPerSecond} | ${r.prefillGain} |`,
      );
    }
  }
}
