#!/usr/bin/env node
// What rounding the weights, or the keys and values of past tokens, does to a model's predictions: held-out text through the
// model with these in float32 and in another type, token by token.
//   node bench/quantization.mjs [--model models/demo] [--text models/demo/held-out.txt] [--dtypes bfloat16,int8]
//     [--kv-dtypes bfloat16,int8] [--matmul-precision medium]
// With --kv-dtypes weights stay as they are stored.
// The text is cut at lines |ENDOFTEXT|; every document is predicted from the token |ENDOFTEXT| on.
import { parseArgs } from "node:util";
import { loadModel } from "../dist/src/index.js";
import { heldOutTexts } from "./held_out_texts.mjs";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/demo" },
    text: { type: "string", default: "models/demo/held-out.txt" },
    dtypes: { type: "string", default: "bfloat16,int8" },
    "kv-dtypes": { type: "string" },
    "matmul-precision": { type: "string", default: "highest" },
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
const kvDtypes = options["kv-dtypes"]?.split(",");
const changes = kvDtypes
  ? ["float32", ...kvDtypes].map((kvDtype) => ({ kvDtype }))
  : ["float32", ...options.dtypes.split(",")].map((dtype) => ({ dtype }));
const matmulPrecision = options["matmul-precision"];
const exact = await loadModel(options.model, changes[0]);
console.log(`${options.model}, ${texts.length} texts, ${matmulPrecision} precision`);
console.log(
  `| ${kvDtypes ? "keys and values" : "weights"} | ${kvDtypes ? "bytes a token" : "MB"} | nats/token | perplexity | same first choice | mean KL, nats | largest logit error |`,
);
console.log("| --- | --- | --- | --- | --- | --- | --- |");
for (const change of changes) {
  const model = await loadModel(options.model, { ...change, matmulPrecision });
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
    ...Object.values(change),
    kvDtypes ? model.kv.bytesPerToken : (model.weightBytes / 1e6).toFixed(1),
    (nats / tokens).toFixed(4),
    Math.exp(nats / tokens).toFixed(4),
    `${((100 * agreed) / tokens).toFixed(2)} %`,
    (divergence / tokens).toExponential(1),
    largest.toFixed(3),
  ];
  console.log(`| ${row.join(" | ")} |`);
}
