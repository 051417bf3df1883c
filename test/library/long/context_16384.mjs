/**
 * 16,384 tokens of context in chunks against one pass over all of them, to the bit, with keys and values of each type. Not a
 * part of `npm test`: it takes a minute or two.
 *
 *     node test/library/long/context_16384.mjs [TOKENS] [KV_TYPES]
 *
 * The shape is that of the fixture head64 (hidden 256, 4 heads of 64, 2 layers, vocabulary 1,000) with random weights. Then
 * it goes on with 24 tokens behind a prefix that was run in chunks, behind a fork of it, and behind the same text in one
 * pass. Ends with exit status 1 at the first difference.
 */
import { randomModel } from "persimmon-lab";

const [tokens = "16384", types = "float32,bfloat16,int8"] = process.argv.slice(2);
const count = Number(tokens);
const shape = { hidden: 256, layers: 2, heads: 4, ffn: 192, vocab: 1000 };
const ids = Array.from({ length: count }, (_, i) => (i * 7919 + (i >> 5) * 13 + 7) % shape.vocab);

function expectSame(what, found, wanted) {
  const bits = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  if (bits(found).equals(bits(wanted))) return console.log(`${what}: the same bits`);
  const at = found.findIndex((value, i) => !Object.is(value, wanted[i]));
  console.error(`${what}: number ${at} is ${found[at]} instead of ${wanted[at]}`);
  process.exit(1);
}

for (const kvDtype of types.split(",")) {
  const model = randomModel(shape, { dtype: "bfloat16", kvDtype, maxLength: count });
  const timed = async (chunk, run) => {
    model.runtime.chunkTokens = chunk;
    const started = performance.now();
    const result = await run();
    return { result, seconds: ((performance.now() - started) / 1000).toFixed(1) };
  };
  const whole = await timed(count, () => model.logits(ids));
  console.log(`${kvDtype}: ${count} tokens in one pass, ${whole.seconds} s`);
  for (const chunk of [512, 256, 7, 1]) {
    const { result, seconds } = await timed(chunk, () => model.logits(ids));
    expectSame(`${kvDtype}, chunks of ${chunk} (${seconds} s)`, result.data, whole.result.data);
  }

  const prefix = ids.slice(0, count - 24);
  const rest = ids.slice(count - 24, count - 23);
  const greedy = { maxNewTokens: 22, logprobs: true };
  const decoded = async (kv) => {
    const values = [];
    for await (const token of model.generate(rest, { ...greedy, kv })) values.push(token.id, token.logprob);
    return Float64Array.from(values);
  };
  const { result: once } = await timed(count, () => model.prefill(prefix));
  const wanted = await decoded(once);
  once.release();
  const { result: chunked } = await timed(300, () => model.prefill(prefix));
  const fork = chunked.fork();
  expectSame(
    `${kvDtype}, ${wanted.length / 2} tokens decoded behind a prefix in chunks`,
    await decoded(chunked),
    wanted,
  );
  expectSame(`${kvDtype}, behind a fork of it`, await decoded(fork), wanted);
  chunked.release();
  fork.release();
}
