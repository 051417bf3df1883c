/**
 * Memory before and after 1,000 generations. Not a part of `npm test`: it takes up to a minute or two.
 *
 *     node --expose-gc test/library/long/generate_1000.mjs [MODEL_DIRECTORY] [CALLS]
 *
 * As many calls again come before the measurement: in them a plan is recorded for each way to choose tokens, V8 compiles,
 * and its heap and the allocator's find their sizes (its young generation doubles to 16 MB after some 600 calls; over 10,000
 * calls nothing else grew). Ends with exit status 1 when tensors are left over, or when the process has grown by more than 8 MB.
 */
import { loadModel } from "persimmon-lab";

const [source, calls = "1000"] = process.argv.slice(2);
const count = Number(calls);
const model = await loadModel(source || undefined);
const { vocabSize } = model.config;
const long = Array.from({ length: Math.min(700, model.maxLength - 32) }, (_, i) => (i * 7919) % vocabSize);

async function generateOne(i) {
  const options = { maxNewTokens: 8, temperature: i % 2, seed: i, logprobs: i % 3 === 0, stopAtEos: false };
  // Now and then a prompt of several chunks, a batch, an early end and a shared prefix.
  if (i % 50 === 1) return model.generate(long, options).done;
  if (i % 10 === 2) return model.generateBatch([long.slice(0, 9), long.slice(0, 30)], options);
  if (i % 10 === 3) {
    const stream = model.generate(long.slice(0, 12), options);
    for await (const _ of stream) break;
    return stream.done;
  }
  if (i % 10 === 4) {
    const kv = await model.prefill(long.slice(0, 40));
    const fork = kv.fork();
    const result = await model.generate(long.slice(40, 50), { ...options, kv: fork }).done;
    kv.release();
    fork.release();
    return result;
  }
  return model.generate(long.slice(0, 5 + (i % 20)), options).done;
}

function measure(label) {
  globalThis.gc?.();
  const { bytesInUse, bytesCached } = model.device.memory();
  const { rss, heapUsed } = process.memoryUsage();
  const mb = (bytes) => `${(bytes / 1e6).toFixed(1).padStart(7)} MB`;
  console.log(
    `${label.padEnd(16)} RSS ${mb(rss)}   JS heap ${mb(heapUsed)}   tensors ${mb(bytesInUse)}   cached ${mb(bytesCached)}`,
  );
  return { rss, bytesInUse };
}

for (let i = 1; i <= count; i++) await generateOne(i);
const before = measure("before");
const started = performance.now();
for (let i = 1; i <= count; i++) {
  await generateOne(i);
  if (i < count && i % (count / 10) === 0) measure(`after ${i} calls`);
}
const after = measure(`after ${count} calls`);
const grown = (after.rss - before.rss) / 1e6;
console.log(
  `${count} calls in ${((performance.now() - started) / 1000).toFixed(0)} s; RSS grew by ${grown.toFixed(1)} MB; ${after.bytesInUse - before.bytesInUse} bytes of tensors left over`,
);
process.exitCode = grown <= 8 && after.bytesInUse === before.bytesInUse ? 0 : 1;
