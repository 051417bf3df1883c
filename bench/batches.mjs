#!/usr/bin/env node
// What batches buy: tokens per second of several texts at once beside one alone, and questions that begin with the same tokens
// (instructions, examples) beside questions of the same length that do not. Interleaved in one run.
//   node bench/batches.mjs [--batch 16] [--questions 512] [--prefix 150] [--question 30] [--answer 2] [--group 64]
//                          [--shape slice|small] [--dtype bfloat16] [--zeros 0.9] [--rounds 5] [--tokens 24] [--threads N]
//                          [--matmul-precision medium]
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import { BandwidthProbe, randomModel } from "../dist/src/index.js";
import { promptIds } from "../dist/src/research/model_speed.js";
import {
  decodeTogether,
  inTurns,
  numbers,
  sharedOptions,
  sliceShape,
  smallShape,
  spread,
  timed,
} from "./side_by_side.mjs";

const text = (value) => ({ type: "string", default: value });
const { values: options } = parseArgs({
  options: {
    ...sharedOptions,
    rounds: text("5"),
    tokens: text("24"),
    prompt: text("16"),
    batch: text("16"),
    questions: text("512"),
    prefix: text("150"),
    question: text("30"),
    answer: text("2"),
    group: text("64"),
    shape: text("slice"),
    dtype: text("bfloat16"),
    zeros: text("0.9"),
  },
});
const further = ["batch", "questions", "prefix", "question", "answer", "group", "zeros"];
const { threads, layers, rounds, tokens, prompt, batch, questions, prefix, question, answer, group, zeros } =
  numbers(options, further);
const shape = options.shape === "small" ? smallShape : { ...sliceShape, layers };
// The KV cache holds four contexts; 64 is a multiple of its pages.
const longest = Math.max(prompt + tokens + 1, prefix + question + answer);
const maxLength = Math.ceil((Math.max(batch, group) * 64 * Math.ceil(longest / 64)) / 4);
const model = randomModel(shape, {
  dtype: options.dtype,
  threads,
  matmulPrecision: options["matmul-precision"],
  zeros,
  maxLength: Math.max(maxLength, longest),
});
// One text is bound by memory, many are bound by arithmetic: what they gain depends on how fast memory is at the moment.
const probe = new BandwidthProbe(model.device);
const bandwidth = [];

/** Tokens per second of `rows` texts at once, their prompts left out. */
async function decode(rows, round) {
  const prompts = Array.from({ length: rows }, (_, row) => promptIds(model, prompt, round * batch + row));
  const together = await decodeTogether(model, probe, prompts, tokens);
  if (round > 0) bandwidth.push(together.bandwidth);
  return together.rate;
}

/** Seconds for all questions. Those that share nothing have the same length and begin with a token of their own. */
async function ask(shared, round) {
  const common = promptIds(model, prefix, round);
  const asked = round === 0 ? Math.min(group, questions) : questions; // the first round only warms up
  const { seconds } = await timed(async () => {
    for (let first = 0; first < asked; first += group) {
      const count = Math.min(group, asked - first);
      const prompts = Array.from({ length: count }, (_, i) => {
        const own = promptIds(model, question, 7919 * round + first + i);
        return shared ? [...common, ...own] : [first + i + 1, ...common.slice(1), ...own];
      });
      await model.generateBatch(prompts, { maxNewTokens: answer, stopAtEos: false });
    }
  });
  return seconds;
}

/** The figures of every round but the first, by run. */
async function eachRound(runs) {
  const found = runs.map(() => []);
  await inTurns([...runs.keys()], rounds, async (run, round) => {
    const figure = await runs[run](round);
    if (round > 0) found[run].push(figure);
  });
  return found;
}

console.log(
  `${cpus()[0].model}, ${threads} threads, ${model.device.instructionSet}; ${options.shape} shape, ${shape.layers} layers, ${options.dtype}, ${zeros} zeros, ${rounds} rounds`,
);
const [alone, together] = await eachRound([(round) => decode(1, round), (round) => decode(batch, round)]);
probe.release();
console.log(`The machine reads ${spread(bandwidth, 1)} GB/s.`);
console.log("| | | gain |\n| --- | --- | --- |");
console.log(`| one text | ${spread(alone, 1)} tokens/s | |`);
console.log(
  `| ${batch} texts | ${spread(together, 1)} tokens/s | ${spread(together.map((rate, i) => rate / alone[i]))} |`,
);
if (questions > 0) {
  const [apart, shared] = await eachRound([(round) => ask(false, round), (round) => ask(true, round)]);
  const what = `${questions} questions of ${prefix} + ${question} tokens, ${answer} to answer, ${group} at once`;
  console.log(`| ${what}, nothing in common | ${spread(apart, 1)} s | |`);
  console.log(
    `| the first ${prefix} in common | ${spread(shared, 1)} s | ${spread(apart.map((seconds, i) => seconds / shared[i]))} |`,
  );
}
