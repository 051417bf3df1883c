#!/usr/bin/env node
// What `persimmon serve` makes of texts that are decoded together: tokens per second with tokens chosen inside of the plan, where
// the next pass is under way while they are read, and outside of it. Interleaved in one run.
//   node bench/served_texts.mjs [--batch 1,4,16] [--shape demo|small|slice] [--dtype bfloat16] [--rounds 7] [--tokens 64] [--threads N]
// The bundled model, or one of random weights. The scheduler alone: no HTTP.
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { loadModel, randomModel } from "../dist/src/index.js";
import { promptIds } from "../dist/src/research/model_speed.js";
import { Scheduler } from "../dist/src/serve/batch/scheduler.js";
import { inTurns, numbers, sharedOptions, sliceShape, smallShape, spread, timed } from "./side_by_side.mjs";

const text = (value) => ({ type: "string", default: value });
const { values: options } = parseArgs({
  options: {
    ...sharedOptions,
    rounds: text("7"),
    tokens: text("64"),
    prompt: text("16"),
    batch: text("1,4,16"),
    shape: text("demo"),
    dtype: text("bfloat16"),
  },
});
const { threads, rounds, tokens, prompt } = numbers(options);
const shapes = { small: smallShape, slice: sliceShape };
const settings = { dtype: options.dtype, threads, matmulPrecision: options["matmul-precision"] };
const model =
  options.shape === "demo"
    ? await loadModel(undefined, settings)
    : randomModel(shapes[options.shape], { ...settings, maxLength: 2048 });

/** Tokens per second of so many texts at once, with what their prompts take. */
async function serve(batch, inPlan, round) {
  model.runtime.tokensInPlan = inPlan;
  const limits = { batch, queue: 256, kvTokens: 4 * model.maxLength };
  const scheduler = new Scheduler(model.generator(), limits);
  const requests = Array.from({ length: batch }, (_, row) => ({
    prompt: promptIds(model, prompt, round * batch + row),
    maxNewTokens: tokens,
    temperature: 0,
    topK: 0,
    topP: 0,
    seed: row,
    stop: [],
    endIds: [],
    top: undefined,
    scorePrompt: false,
  }));
  const never = new AbortController().signal;
  const { seconds } = await timed(() => Promise.all(scheduler.submit(requests, never)));
  await scheduler.close();
  return (batch * tokens) / seconds;
}

console.log(
  `${cpus()[0].model}, ${threads} threads, ${model.device.instructionSet}; ${options.shape} shape, ${options.dtype}, ${rounds} rounds of ${tokens} tokens`,
);
console.log("| texts | outside, tokens/s | in the plan, tokens/s | gain |\n| --- | --- | --- | --- |");
for (const batch of options.batch.split(",").map(Number)) {
  const rates = { false: [], true: [] };
  await inTurns([false, true], rounds, async (inPlan, round) => {
    const rate = await serve(batch, inPlan, round);
    if (round > 0) rates[inPlan].push(rate);
  });
  const gains = rates.true.map((rate, round) => rate / rates.false[round]);
  console.log(`| ${batch} | ${spread(rates.false, 1)} | ${spread(rates.true, 1)} | ${spread(gains)} |`);
}
