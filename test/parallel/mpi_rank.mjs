// What each process of mpi.test.ts runs: node mpi_rank.mjs CHECKPOINT results|throw|differ|late|killed|local
// Prints one JSON object a line for what it has found.
import { createHash } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import { edits, loadModel, nn, ops } from "../../dist/src/index.js";

const [directory, mode] = process.argv.slice(2);
const prompt = [1, 270, 300, 5, 9, 11, 280];
const rank = Number(process.env.OMPI_COMM_WORLD_RANK ?? 0);

/**
 * @param {number} ranks
 * @param {string} what
 * @param {string} value
 */
function say(ranks, what, value) {
  process.stdout.write(`${JSON.stringify({ rank, ranks, what, value })}\n`);
}

/** @param {(Float32Array | number[])[]} numbers */
function hashOf(...numbers) {
  const hash = createHash("sha256");
  for (const values of numbers) hash.update(new Uint8Array(Float32Array.from(values).buffer));
  return hash.digest("hex");
}

/** @param {import("../../dist/src/index.js").LanguageModel} model @param {object} [options] */
async function textOf(model, options) {
  const stream = model.generate(prompt, { maxNewTokens: 8, stopAtEos: false, logprobs: true, ...options });
  /** @type {number[]} */
  const logprobs = [];
  for await (const token of stream) logprobs.push(token.logprob ?? 0);
  return hashOf((await stream.done).ids, logprobs);
}

/** @param {import("../../dist/src/index.js").LanguageModel} model @param {number} ranks */
async function results(model, ranks) {
  say(ranks, "logits", hashOf((await model.logits(prompt)).data));
  say(ranks, "text", await textOf(model));
  say(ranks, "sampled", await textOf(model, { temperature: 1, seed: 5 }));
  // Ends with a pass that nobody asks for.
  say(
    ranks,
    "stopped",
    await textOf(model, { temperature: 1, seed: 5, maxNewTokens: 200, stop: /[a-z]{2}/ }),
  );
  const edit = model.edit("layers.1.mlp.act", edits.scale(2, { units: [3, 40, 63] }));
  say(ranks, "edited", await textOf(model));
  edit.dispose();
  // Not the same on two ranks, unless that of rank 0 counts on all.
  const hook = model.hook("layers.0.attn.z", (x) => {
    for (let i = 0; i < x.data.length; i++) x.data[i] += 0.25 + rank;
  });
  say(ranks, "hooked", await textOf(model));
  hook.dispose();
  const { cache } = await model.runWithCache(prompt, { names: ["layers.0.mlp.act"], keep: "all" });
  say(ranks, "cached", hashOf(cache.get("layers.0.mlp.act").data));
}

/** Halves what an MLP gives, and reads a value on the host, which no plan can record. */
class HalvedMlp extends nn.Module {
  /** @param {import("../../dist/src/index.js").nn.Module} inner */
  constructor(inner) {
    super();
    this.inner = inner;
  }

  /** @override @param {import("../../dist/src/index.js").Tensor} x */
  forward(x) {
    const out = this.inner.call(x);
    return ops.scale(out, out.dataSync().length > 0 ? 0.5 : 1);
  }
}

/** @param {import("../../dist/src/index.js").LanguageModel} model @param {number} ranks */
async function swapped(model, ranks) {
  const { mlp } = model.layers[1];
  model.layers[1].mlp = new HalvedMlp(mlp);
  const { ids } = await model.generate(prompt, { maxNewTokens: 8, stopAtEos: false }).done;
  say(ranks, "swapped", hashOf(ids));
  model.layers[1].mlp = mlp;
}

/** @param {Promise<unknown>} promise */
async function failureOf(promise) {
  try {
    await promise;
    return "nothing failed";
  } catch (error) {
    const { code, message } = /** @type {{ code?: string, message: string }} */ (error);
    return `${code}: ${message}`;
  }
}

if (mode === "local") {
  const whole = await loadModel(directory);
  for (const ranks of [2, 4]) {
    await results(await loadModel(directory, { tensorParallel: ranks }), ranks);
    await swapped(whole, ranks);
  }
} else {
  const model = await loadModel(directory, { tensorParallel: "mpi" });
  const ranks = Number(process.env.OMPI_COMM_WORLD_SIZE);
  if (mode === "results") {
    await results(model, ranks);
    await swapped(model, ranks);
  }
  if (mode === "throw") {
    const hook = model.hook("layers.1.out", (_, { step }) => {
      if (rank === 1 && step === 2) throw new Error("on purpose");
    });
    say(ranks, "failure", await failureOf(textOf(model)));
    hook.dispose();
    say(ranks, "logits", hashOf((await model.logits(prompt)).data));
  }
  if (mode === "differ") {
    say(ranks, "failure", await failureOf(textOf(model, { temperature: 2, seed: rank, maxNewTokens: 30 })));
    say(ranks, "logits", hashOf((await model.logits(prompt)).data));
  }
  if (mode === "late") {
    if (rank === 1) await setTimeout(20_000);
    await model.logits(prompt);
  }
  if (mode === "killed") {
    let tokens = 0;
    for await (const _ of model.generate(prompt, { maxNewTokens: 400, stopAtEos: false })) {
      if (++tokens === 5 && rank === 1) process.kill(process.pid, "SIGKILL");
    }
    say(ranks, "text", "nobody was missed");
  }
}
