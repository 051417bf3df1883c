#!/usr/bin/env node
// What rounding the weights does to a model's predictions: held-out text through the model with its weights in float32 and in
// another type, token by token.
//   node bench/quantization.mjs [--model models/demo] [--text models/demo/held-out.txt] [--dtypes bfloat16,int8]
// The text is cut at lines |ENDOFTEXT|; every document is predicted from the token |ENDOFTEXT| on.
import { parseArgs } from "node:util";
import { loadModel } from "../dist/src/index.js";
import { heldOutTexts } from "./held_out_texts.mjs";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/demo" },
    text: { type: "string", default: "models/demo/held-out.txt" },
    dtypes: { type: "string", default: "bfloat16,int8" },
  },
});

/** Log-softmax of each row, in float64. */
function logProbabilities({ data, shape: [rows, width] }) {
  return Array.from({ length: rows }, (_, row) => {
    const logits = data.subarray(row * width, (row + 1) * width);
    const top = logits.reduce((a, b) => Math.max(a, b));
    let sum = 0;
    for (const x of logits) sum += Math.exp(x - top);
    const shift = top + Math.log(sum);
    return Float64Array.from(logits, (x) => x - shift);
  });
}

const argmax = (values) => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

const texts = heldOutTexts(options.text);
const exact = await loadModel(options.model, { dtype: "float32" });
console.log(`${options.model}, ${texts.length} texts`);
console.log(
  "| weights | MB | nats/token | perplexity | same first choice | mean KL, nats | largest logit error |",
);
console.log("| --- | --- | --- | --- | --- | --- | --- |");
for (const dtype of ["float32", ...options.dtypes.split(",")]) {
  const model = await loadModel(options.model, { dtype });
  let [tokens, nats, agreed, divergence, largest] = [0, 0, 0, 0, 0];
  for (const text of texts) {
    const ids = exact.encodePrompt(text);
    const [wanted, got] = [await exact.logits(ids), await model.logits(ids)];
    wanted.data.forEach((value, i) => {
      largest = Math.max(largest, Math.abs(value - got.data[i]));
    });
    const [p, q] = [logProbabilities(wanted), logProbabilities(got)];
    for (let at = 0; at + 1 < ids.length; at++) {
      tokens += 1;
      nats -= q[at][ids[at + 1]];
      agreed += argmax(p[at]) === argmax(q[at]);
      for (let i = 0; i < p[at].length; i++) divergence += Math.exp(p[at][i]) * (p[at][i] - q[at][i]);
    }
  }
  const row = [
    dtype,
    (model.weightBytes / 1e6).toFixed(1),
    (nats / tokens).toFixed(4),
    Math.exp(nats / tokens).toFixed(4),
    `${((100 * agreed) / tokens).toFixed(2)} %`,
    (divergence / tokens).toExponential(1),
    largest.toFixed(3),
  ];
  console.log(`| ${row.join(" | ")} |`);
}
