#!/usr/bin/env node
// Our decode and prefill beside llama.cpp's through node-llama-cpp, on random weights of the same shape: in every round each
// engine takes its turn, in an order that alternates, between probes of the read bandwidth. llama.cpp runs its `nemotron`
// architecture, which is Persimmon without QK-LayerNorm, in a process of its own, which node-llama-cpp starts anew in each round:
// by how its threads sleep and wake one process makes 37 tokens/s in int4 and the next 49, all its life. With --from-c the same
// libraries are also called without Node (Linux x64, needs git and g++). With --transformers PYTHON, of an environment that has
// torch and transformers, PersimmonForCausalLM in bfloat16 takes its turns, too. All keep keys and values in 16 bits: llama.cpp in float16,
// the others in bfloat16; ours in float32 with --kv-dtype float32, which is the default of the library.
//   npm install --prefix bench/peers
//   node bench/llama_cpp.mjs [--dtypes bfloat16,int8,int4] [--rounds 9] [--tokens 16] [--prompt 128] [--threads N] [--zeros 0.5]
//                            [--shape hidden=4096,layers=4,heads=64,ffn=16384,vocab=32768] [--no-skip-zeros] [--kv-dtype float32] [--matmul-precision medium] [--from-c] [--transformers python3] [--json]
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { parseShape } from "../dist/src/cli/bench.js";
import { BandwidthProbe, randomModel } from "../dist/src/index.js";
import { bytesRead, promptIds } from "../dist/src/research/model_speed.js";
import { writeRandomGguf } from "./peers/gguf.mjs";
import { startLineProcess } from "./peers/line_process.mjs";
import { startLlamaFromC } from "./peers/llama_from_c.mjs";
import { inTurns, median, sliceShape, spread, timed } from "./side_by_side.mjs";

const { values: options } = parseArgs({
  options: {
    dtypes: { type: "string", default: "bfloat16,int8,int4" },
    rounds: { type: "string", default: "9" },
    tokens: { type: "string", default: "16" },
    prompt: { type: "string", default: "128" },
    threads: { type: "string", default: String(availableParallelism()) },
    zeros: { type: "string", default: "0.5" },
    shape: { type: "string" },
    "no-skip-zeros": { type: "boolean", default: false },
    "kv-dtype": { type: "string", default: "bfloat16" },
    "matmul-precision": { type: "string" },
    "from-c": { type: "boolean", default: false },
    transformers: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const [rounds, tokens, prompt, threads, zeros] = ["rounds", "tokens", "prompt", "threads", "zeros"].map(
  (name) => Number(options[name]),
);
const shape = { ...sliceShape, ...(options.shape !== undefined && parseShape(options.shape)) };
const peerTypes = { bfloat16: "bfloat16", int8: "q8_0", int4: "q4_0" };
const peerNames = {
  llama: "node-llama-cpp",
  fromC: "llama.cpp from C",
  transformers: "transformers",
};
const peers = join(import.meta.dirname, "peers");
if (!existsSync(join(peers, "node_modules", "node-llama-cpp"))) {
  console.error("node-llama-cpp is missing: npm install --prefix bench/peers");
  process.exit(1);
}

/** llama.cpp with a model of this type: `measure` gives the seconds of a prompt and of tokens after it. */
async function startLlama(path) {
  const child = fork(join(peers, "llama_process.mjs"), [path, String(threads)]);
  const exit = once(child, "exit").then(([code]) => ({ error: `llama.cpp's process ended with ${code}` }));
  const message = async () => {
    const reply = await Promise.race([once(child, "message").then(([value]) => value), exit]);
    if (reply.error) throw new Error(reply.error);
    return reply;
  };
  await message();
  return {
    async measure(request) {
      child.send(request);
      return message();
    },
    stop: () => child.kill(),
  };
}

async function measureOurs(model, ids) {
  const filled = await timed(() => model.prefill(ids));
  const { skipped } = await model.device.weightTraffic();
  const options = { kv: filled.result, maxNewTokens: 1 + tokens, stopAtEos: false };
  const generation = model.generate([300], options);
  await generation[Symbol.asyncIterator]().next(); // its first token, as with the others
  const decoded = await timed(() => generation.done);
  const traffic = await model.device.weightTraffic();
  filled.result.release();
  const leftOut = (traffic.skipped - skipped) / (1 + tokens);
  return { prefill: filled.seconds, decode: decoded.seconds, leftOut };
}

async function compare(dtype, folder) {
  const path = join(folder, `${dtype}.gguf`);
  const file = await writeRandomGguf(path, shape, peerTypes[dtype]);
  const model = randomModel(shape, {
    dtype,
    threads,
    zeros,
    skipZeros: !options["no-skip-zeros"],
    kvDtype: options["kv-dtype"],
    matmulPrecision: options["matmul-precision"],
    maxLength: 4096,
  });
  const probe = new BandwidthProbe(model.device);
  let llama;
  const fromC = options["from-c"] ? await startLlamaFromC(path, threads) : undefined;
  const sizes = ["hidden", "layers", "heads", "ffn", "vocab"].map((name) => String(shape[name]));
  const script = join(peers, "transformers_process.py");
  const transformers =
    options.transformers !== undefined && dtype === "bfloat16"
      ? await startLineProcess(options.transformers, [script, String(threads), ...sizes])
      : undefined;
  const matrices = shape.hidden * (shape.vocab + shape.layers * (4 * shape.hidden + 2 * shape.ffn));
  const perWeight = { bfloat16: 2, int8: 34 / 32, int4: 18 / 32 }[dtype];
  // Keys and values in float16, for prompt and tokens.
  const llamaBytes = matrices * perWeight + 4 * shape.hidden * shape.layers * (prompt + tokens / 2);
  const bytes = { llama: llamaBytes, fromC: llamaBytes, transformers: llamaBytes };
  const runs = {
    ours: (ids) => measureOurs(model, ids),
    llama: (ids) => llama.measure({ prompt: ids, tokens }),
    ...(fromC && { fromC: (ids) => fromC.measure({ prompt: ids, tokens }) }),
    ...(transformers && { transformers: (ids) => transformers.measure({ prompt: ids, tokens }) }),
  };
  const figures = Object.fromEntries(
    Object.keys(runs).map((name) => [name, { decode: [], prefill: [], bandwidth: [] }]),
  );
  await inTurns(Object.keys(runs), rounds, async (name, round) => {
    const ids = promptIds(model, prompt, round).map((id) => 259 + (id % (shape.vocab - 259)));
    if (name === "llama") {
      llama?.stop();
      llama = await startLlama(path);
      // Touches all weights.
      await llama.measure({ prompt: ids.slice(0, 8), tokens: 2 });
    }
    const before = await probe.measure();
    const seconds = await runs[name](ids);
    const after = await probe.measure();
    if (round === 0) return;
    const { decode, prefill, bandwidth } = figures[name];
    decode.push(tokens / seconds.decode);
    prefill.push(prompt / seconds.prefill);
    bandwidth.push((before + after) / 2);
    if (name === "ours") bytes.ours = bytesRead(model, prompt + tokens / 2, seconds.leftOut);
  });
  probe.release();
  llama?.stop();
  fromC?.stop();
  transformers?.stop();
  rmSync(path);
  const ratio = (key, peer) =>
    spread(figures.ours[key].map((rate, round) => rate / figures[peer][key][round]));
  const row = (name) => ({
    tokensPerSecond: spread(figures[name].decode, 1),
    GBPerToken: bytes[name] / 1e9,
    GBPerSecond: (bytes[name] * median(figures[name].decode)) / 1e9,
    percentOfBandwidth: spread(
      figures[name].decode.map((rate, at) => (100 * rate * bytes[name]) / 1e9 / figures[name].bandwidth[at]),
      0,
    ),
    prefillTokensPerSecond: spread(figures[name].prefill, 0),
  });
  return {
    dtype,
    peerFileGB: file.bytes / 1e9,
    ours: row("ours"),
    peers: Object.keys(runs)
      .filter((name) => name !== "ours")
      .map((name) => ({
        name: peerNames[name],
        type: name === "transformers" ? dtype : peerTypes[dtype],
        ...row(name),
        decodeGain: ratio("decode", name),
        prefillGain: ratio("prefill", name),
      })),
  };
}

const folder = mkdtempSync(join(tmpdir(), "persimmon-llama-"));
const results = [];
try {
  for (const dtype of options.dtypes.split(",")) {
    results.push(await compare(dtype, folder));
    globalThis.gc?.();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (options.json)
  console.log(JSON.stringify({ shape, zeros, threads, prompt, tokens, rounds, results }, null, 2));
else {
  const sizes = Object.entries(shape).map(([name, size]) => `${name} ${size}`);
  console.log(
    `${cpus()[0].model}, ${threads} threads, load ${loadavg()[0].toFixed(1)}; ${sizes.join(", ")}; context ${prompt}, ${rounds} rounds of ${tokens} tokens; ${100 * zeros} % zeros${options["no-skip-zeros"] ? ", read all the same" : ""}`,
  );
  console.log(
    "| weights | engine | tokens/s | GB/token | GB/s | % of bandwidth | we are | prefill tokens/s | we are |",
  );
  console.log("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
  for (const { dtype, ours, peers } of results) {
    const line = (name, r, decodeGain, prefillGain) =>
      console.log(
        `| ${dtype} | ${name} | ${r.tokensPerSecond} | ${r.GBPerToken.toFixed(3)} | ${r.GBPerSecond.toFixed(1)} | ${r.percentOfBandwidth} | ${decodeGain} | ${r.prefillTokensPerSecond} | ${prefillGain} |`,
      );
    line("ours", ours, "", "");
    for (const peer of peers) line(`${peer.name}, ${peer.type}`, peer, peer.decodeGain, peer.prefillGain);
  }
}
