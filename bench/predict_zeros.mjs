#!/usr/bin/env node
// What `predictZeros` costs and buys: recall, rows read and perplexity on a trained model's held-out text, half of which the
// thresholds are chosen on; then the speed of random weights of the true layer shape, the same model with only its real zeros
// left out and with predicted ones too, interleaved in one run.
//   node bench/predict_zeros.mjs [--model models/demo] [--text models/demo/held-out.txt] [--recalls 0.99,0.999] [--zeros 0.9]
//                                [--rounds 9] [--tokens 12] [--prompt 128] [--threads N] [--layers 4] [--no-speed] [--json]
import { parseArgs } from "node:util";
import { loadModel, predictZeros, randomModel } from "../dist/src/index.js";
import { promptIds } from "../dist/src/research/model_speed.js";
import { heldOutTexts, percent, perplexity } from "./held_out_texts.mjs";
import { numbers, print, sharedOptions, sideBySide, sliceShape } from "./side_by_side.mjs";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "models/demo" },
    text: { type: "string", default: "models/demo/held-out.txt" },
    recalls: { type: "string", default: "0.9,0.99,0.999" },
    zeros: { type: "string", default: "0.9" },
    "no-speed": { type: "boolean", default: false },
    ...sharedOptions,
  },
});
const recalls = options.recalls.split(",").map(Number);

const demo = await loadModel(options.model);
const texts = heldOutTexts(options.text);
const judged = texts.filter((_, text) => text % 2 === 1);
console.log(
  `${options.model}, ${demo.dtype}, ${judged.length} texts to judge; perplexity ${(await perplexity(demo, judged)).toFixed(5)}`,
);
console.log("| recall asked for | recall | rows read | bytes of the up projections | perplexity |");
console.log("| --- | --- | --- | --- | --- |");
for (const recall of recalls) {
  const predictor = await predictZeros(demo, texts, { recall, progress: false });
  const inForce = predictor.apply(demo);
  console.log(
    `| ${percent(recall)} | ${percent(predictor.measuredRecall, 2)} | ${percent(predictor.density)} | ${percent(predictor.bytes, 0)} | ${(await perplexity(demo, judged)).toFixed(5)} |`,
  );
  inForce.dispose();
}

if (!options["no-speed"]) {
  const { threads, layers, ...counts } = numbers(options);
  const zeros = Number(options.zeros);
  const make = () =>
    randomModel(
      { ...sliceShape, layers },
      { threads, matmulPrecision: options["matmul-precision"], zeros, maxLength: 2048 },
    );
  const models = { "zeros left out": make() };
  for (const recall of recalls) {
    const model = make();
    const some = Array.from({ length: 8 }, (_, text) => promptIds(model, 48, text));
    const predictor = await predictZeros(model, some, { recall, progress: false });
    predictor.apply(model);
    models[`predicted, recall ${percent(predictor.measuredRecall)}, ${percent(predictor.density)} read`] =
      model;
  }
  const rows = await sideBySide(models, counts);
  print([{ setting: `${percent(zeros)}, bfloat16`, rows }], options, "zeros");
}
