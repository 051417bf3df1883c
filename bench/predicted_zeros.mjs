#!/usr/bin/env node
// Which zeros of the squared ReLU can be known before the up projection is read, from a smaller copy of it? An experiment on a
// trained model and its held-out text; no kernel reads less for it yet.
//
// Predicted: a neuron whose pre-activation is below a threshold by the copy is taken for zero. Printed are the share of neurons
// that would still be read (density), the share of the live ones among them (recall), the perplexity with all others set to
// zero, and the bytes of copy and rows read, as a share of the up projection in bfloat16.
// Certified: the rows w of the matrix are ŵ + r, and x·w + b ≤ x·ŵ + b + bound, where the bound is ‖x‖‖r‖, or the sum of
// ‖x_g‖‖r_g‖ over groups of 32 inputs (whose norms are stored, too, in bfloat16). Where that is below zero the neuron is zero
// for certain and its row need not be read: exact, up to rounding.
//   node bench/predicted_zeros.mjs [--model models/demo] [--text models/demo/held-out.txt] [--texts N]
import { parseArgs } from "node:util";
import { loadModel, nn, ops, Tensor } from "../dist/src/index.js";
import { heldOutTexts, percent, perplexity } from "./held_out_texts.mjs";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/demo" },
    text: { type: "string", default: "models/demo/held-out.txt" },
    texts: { type: "string", default: "1000" },
  },
});
const GROUP = 32;
const model = await loadModel(options.model, { dtype: "float32", skipZeros: false });
const texts = heldOutTexts(options.text).slice(0, Number(options.texts));
const { device } = model;
const { hiddenSize: hidden, intermediateSize: neurons } = model.config;

function meanMagnitude(values) {
  return values.reduce((sum, value) => sum + Math.abs(value), 0) / values.length;
}

/** Signs times the mean magnitude of their row. */
async function signs(weight) {
  const values = await weight.data();
  const scales = Array.from({ length: neurons }, (_, row) =>
    meanMagnitude(values.subarray(row * hidden, (row + 1) * hidden)),
  );
  return values.map((value, i) => Math.sign(value) * scales[Math.floor(i / hidden)]);
}

/** Smaller copies of a matrix: their bytes a weight with scales, and their values. */
const copies = {
  signs: { bytes: 1 / 8, of: signs },
  int4: { bytes: 4.5 / 8, of: (weight) => weight.toInt4().data() },
  int8: { bytes: 1, of: (weight) => weight.toInt8().data() },
};

/** Inputs and pre-activations of all MLPs over some texts, [tokens, hidden] and [tokens, neurons] of each layer. */
async function activations(some) {
  const layers = model.layers.map(() => ({ inputs: [], pre: [] }));
  for (const text of some) {
    const { cache } = await model.runWithCache(text, { names: ["layers.*.mlp.in", "layers.*.mlp.pre"] });
    for (const [n, layer] of layers.entries()) {
      layer.inputs.push(cache.get(`layers.${n}.mlp.in`).data);
      layer.pre.push(cache.get(`layers.${n}.mlp.pre`).data);
    }
  }
  return layers.map(({ inputs, pre }) => ({ inputs: joined(inputs), pre: joined(pre) }));
}

function joined(parts) {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** x · copyᵀ + b of all tokens, [tokens, neurons] */
async function estimates(inputs, copy, bias) {
  const x = Tensor.from(device, inputs, [inputs.length / hidden, hidden]);
  return ops.linear(x, Tensor.from(device, copy, [neurons, hidden]), bias).data();
}

/** The value that a share of the numbers lies below. */
function quantile(numbers, share) {
  const sorted = Float32Array.from(numbers).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

/** Norms of stretches of `size` numbers. */
function norms(values, size) {
  return Float64Array.from({ length: values.length / size }, (_, at) =>
    Math.hypot(...values.subarray(at * size, (at + 1) * size)),
  );
}

/** Share of neurons that the bound leaves undecided, with residuals in stretches of `size` inputs. */
async function undecided(mlp, copy, { inputs }, estimated, size) {
  const weight = await mlp.denseHTo4h.weight.data();
  const residual = norms(
    weight.map((value, i) => value - copy[i]),
    size,
  );
  const length = norms(inputs, size);
  const groups = hidden / size;
  let open = 0;
  estimated.forEach((value, at) => {
    const [token, neuron] = [Math.floor(at / neurons), at % neurons];
    let bound = 0;
    for (let g = 0; g < groups; g++) bound += length[token * groups + g] * residual[neuron * groups + g];
    if (!(value + bound < 0)) open++;
  });
  return open / estimated.length;
}

/** An MLP whose squared ReLUs are zero wherever the copy says so. */
class PredictedMLP extends nn.Module {
  constructor(base, copy, shifted) {
    super();
    Object.assign(this, { base, copy, shifted });
  }

  forward(x) {
    const predicted = ops.linear(x, this.copy, this.shifted);
    const read = ops.sigmoid(ops.scale(predicted, 1e30)); // 0 or 1
    const act = ops.mul(ops.reluSquared(this.base.denseHTo4h.call(x)), read);
    return this.base.dense4hToH.call(act);
  }
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const half = Math.ceil(texts.length / 2);
const [chosen, judged] = [texts.slice(0, half), texts.slice(half)];
const [known, found] = [await activations(chosen), await activations(judged)];
const originals = model.layers.map(({ mlp }) => mlp);
const plain = await perplexity(model, judged);
console.log(
  `${options.model}: ${chosen.length} texts to choose thresholds, ${judged.length} to judge (${found[0].inputs.length / hidden} tokens); perplexity ${plain.toFixed(4)}, ${percent(mean(found.map(({ pre }) => pre.filter((value) => value <= 0).length / pre.length)))} zeros`,
);
console.log(
  "| predicted by | recall asked for | recall | density | perplexity | bytes of the up projection |",
);
console.log("| --- | --- | --- | --- | --- | --- |");
for (const [name, { bytes, of }] of Object.entries(copies)) {
  for (const recall of [0.95, 0.99, 0.999]) {
    const [kept, read] = [[], []];
    for (const [n, mlp] of originals.entries()) {
      const { weight, bias } = mlp.denseHTo4h;
      const copy = await of(weight);
      const before = await estimates(known[n].inputs, copy, bias);
      const threshold = quantile(
        before.filter((_, i) => known[n].pre[i] > 0),
        1 - recall,
      );
      const after = await estimates(found[n].inputs, copy, bias);
      const live = found[n].pre.filter((value) => value > 0).length;
      kept.push(after.filter((value, i) => value > threshold && found[n].pre[i] > 0).length / live);
      read.push(after.filter((value) => value > threshold).length / after.length);
      const shifted = (await bias.data()).map((value) => value - threshold);
      model.layers[n].mlp = new PredictedMLP(
        mlp,
        Tensor.from(device, copy, [neurons, hidden]).keep(),
        Tensor.from(device, shifted).keep(),
      );
    }
    const masked = await perplexity(model, judged);
    originals.forEach((mlp, n) => {
      model.layers[n].mlp = mlp;
    });
    const cost = percent((bytes + 2 * mean(read)) / 2, 0);
    console.log(
      `| ${name} | ${percent(recall)} | ${percent(mean(kept))} | ${percent(mean(read))} | ${masked.toFixed(4)} | ${cost} |`,
    );
  }
}
console.log("\n| certified by | undecided, by layer | mean | bytes of the up projection |");
console.log("| --- | --- | --- | --- |");
for (const [name, size] of [
  ["int8", hidden],
  ["int8", GROUP],
  ["int4", GROUP],
]) {
  const open = [];
  for (const [n, mlp] of originals.entries()) {
    const copy = await copies[name].of(mlp.denseHTo4h.weight);
    const estimated = await estimates(found[n].inputs, copy, mlp.denseHTo4h.bias);
    open.push(await undecided(mlp, copy, found[n], estimated, size));
  }
  const bytes = copies[name].bytes + 2 / size + 2 * mean(open);
  console.log(
    `| ${name}, residuals of ${size === hidden ? "rows" : `${size} inputs`} | ${open.map((share) => percent(share)).join(", ")} | ${percent(mean(open))} | ${percent(bytes / 2, 0)} |`,
  );
}
