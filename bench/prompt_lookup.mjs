#!/usr/bin/env node
// What promptLookup buys: the time for a text with and without it, in turns, in one run on one machine.
//   node bench/prompt_lookup.mjs [--rounds 7] [--tokens 96] [--threads N] [--json]
// Slice shape with random weights in bfloat16. Such a model has no language, and how often a guess is right depends on the
// text alone, so the share of right guesses is set: the "true" continuation is a greedy text of the model, and the guess is
// its next 8 tokens, of which each is spoilt with a given probability. 0 % spoilt is the best that can be had (a text that
// repeats itself), 100 % the worst (every guess is wrong).
import { availableParallelism, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { PromptLookup } from "../dist/src/generation/prompt_lookup.js";
import { SeededRandom } from "../dist/src/generation/random.js";
import { randomModel } from "../dist/src/index.js";
import { median } from "./side_by_side.mjs";

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "7" },
    tokens: { type: "string", default: "96" },
    threads: { type: "string", default: String(availableParallelism()) },
    json: { type: "boolean", default: false },
  },
});
const [rounds, tokens, threads] = [options.rounds, options.tokens, options.threads].map(Number);
const slice = { hidden: 4096, layers: 4, heads: 64, ffn: 16384, vocab: 32768 };
const model = randomModel(slice, { dtype: "bfloat16", threads, maxLength: 2048 });
const prompt = Array.from({ length: 64 }, (_, i) => (i * 37 + 5) % 1000);
const settings = { maxNewTokens: tokens, stopAtEos: false };
const truth = [
  ...prompt,
  ...(await model.generate(prompt, { ...settings, maxNewTokens: tokens + 8 }).done).ids,
];

/** Stands in for the search in the text: the right tokens, each spoilt with a probability. */
function guesses(spoilt, seed) {
  const random = new SeededRandom(seed);
  return function find(most) {
    this.seen ??= prompt.length;
    const from = this.seen;
    return truth
      .slice(from, from + Math.min(8, most))
      .map((id) => (random.next() < spoilt ? (id + 1) % slice.vocab : id));
  };
}
const { find: search, push } = PromptLookup.prototype;
PromptLookup.prototype.push = function counted(id) {
  this.seen = (this.seen ?? prompt.length) + 1;
  push.call(this, id);
};

const variants = [
  { name: "without promptLookup" },
  ...[0, 0.1, 0.3, 0.6, 1].map((spoilt) => ({
    name: `${Math.round(100 * spoilt)} % of the guessed tokens spoilt`,
    spoilt,
  })),
];

async function measure({ spoilt }, seed) {
  PromptLookup.prototype.find = spoilt === undefined ? search : guesses(spoilt, seed);
  const started = performance.now();
  const { ids, lookup } = await model.generate(prompt, { ...settings, promptLookup: spoilt !== undefined })
    .done;
  const seconds = (performance.now() - started) / 1000;
  if (ids.join() !== truth.slice(prompt.length, prompt.length + tokens).join())
    throw new Error("another text");
  return {
    rate: tokens / seconds,
    right: lookup && lookup.guessed > 0 ? lookup.right / lookup.guessed : undefined,
  };
}

const made = variants.map(() => []);
for (const variant of variants) await measure(variant, 1);
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < variants.length; i++) {
    const index = (i + round) % variants.length;
    const plain = index === 0 ? undefined : await measure(variants[0], 1);
    const got = await measure(variants[index], 1 + round);
    made[index].push({ ...got, gain: plain === undefined ? 1 : got.rate / plain.rate });
  }
}
const results = variants.map(({ name }, index) => ({
  name,
  tokensPerSecond: median(made[index].map(({ rate }) => rate)),
  rightGuesses: index === 0 ? undefined : median(made[index].map(({ right }) => right)),
  gain: median(made[index].map(({ gain }) => gain)),
}));
const machine = {
  cpu: cpus()[0].model,
  threads,
  instructionSet: model.device.instructionSet,
  load: loadavg(),
};
if (options.json) {
  console.log(JSON.stringify({ machine, rounds, tokens, results }, null, 2));
} else {
  console.log(
    `slice shape, bfloat16; ${machine.cpu}, ${threads} threads, ${machine.instructionSet}; ${rounds} rounds\n`,
  );
  console.log(
    "| | tokens/s | guessed tokens that were right | gain, median of rounds |\n| --- | --- | --- | --- |",
  );
  for (const { name, tokensPerSecond, rightGuesses, gain } of results) {
    const right = rightGuesses === undefined ? "" : `${(100 * rightGuesses).toFixed(0)} %`;
    console.log(`| ${name} | ${tokensPerSecond.toFixed(1)} | ${right} | ${gain.toFixed(2)}× |`);
  }
}
