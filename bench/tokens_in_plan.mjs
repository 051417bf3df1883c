#!/usr/bin/env node
// What choosing tokens inside of the plan brings a model, alone or split over ranks of this process: tokens per second with the next
// pass under way while a token is read, and without. Interleaved in one run.
//   node bench/tokens_in_plan.mjs [--model CHECKPOINT] [--ranks 1,2] [--dtype bfloat16] [--temperature 0] [--rounds 9] [--tokens 128] [--threads N] [--device cuda]
// The bundled model unless another is named.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { loadModel } from "../dist/src/index.js";
import { promptIds } from "../dist/src/research/model_speed.js";
import { inTurns, numbers, sharedOptions, spread, timed } from "./side_by_side.mjs";

const text = (value) => ({ type: "string", default: value });
const { values: options } = parseArgs({
  options: {
    ...sharedOptions,
    tokens: text("128"),
    prompt: text("16"),
    model: { type: "string" },
    ranks: text("1,2"),
    dtype: text("bfloat16"),
    device: text("cpu"),
    temperature: text("0"),
  },
});
const { threads, rounds, tokens, prompt, temperature } = numbers(options, ["temperature"]);
const { device, dtype } = options;

console.log(
  `${cpus()[0].model}, ${device}, ${threads} threads; ${dtype}, ${rounds} rounds of ${tokens} tokens`,
);
console.log("| ranks | outside, tokens/s | in the plan, tokens/s | gain |\n| --- | --- | --- | --- |");
for (const tensorParallel of options.ranks.split(",").map(Number)) {
  const model = await loadModel(options.model, { device, dtype, threads, tensorParallel });
  const rates = { false: [], true: [] };
  await inTurns([false, true], rounds, async (inPlan, round) => {
    model.runtime.tokensInPlan = inPlan;
    const ids = promptIds(model, prompt, round);
    const run = { maxNewTokens: tokens, stopAtEos: false, temperature, seed: round };
    const { seconds } = await timed(() => model.generate(ids, run).done);
    if (round > 0) rates[inPlan].push(tokens / seconds);
  });
  const gains = rates.true.map((rate, round) => rate / rates.false[round]);
  console.log(
    `| ${tensorParallel} | ${spread(rates.false, 1)} | ${spread(rates.true, 1)} | ${spread(gains)} |`,
  );
}
