/**
 * Memory while interventions come and go: 10,000 generated tokens until all has its size, then 10,000 that are measured. Not a
 * part of `npm test`: it takes half a minute.
 *
 *     node --expose-gc test/library/long/interventions_10000.mjs [MODEL_DIRECTORY] [TOKENS]
 *
 * Ends with exit status 1 when the process has grown by more than 16 MB, or the tensors by more than 1 MB, in the second
 * half (in the first, V8 compiles and its heap and the allocator's find their sizes), when more than 8 plans are kept, or
 * when the model has changed at the end.
 */
import { edits, loadModel, nn } from "persimmon-lab";

const [source, tokens = "20000"] = process.argv.slice(2);
const total = Number(tokens);
const model = await loadModel(source || undefined);
const { hiddenSize, vocabSize, numHiddenLayers } = model.config;
const mlps = model.layers.map((layer) => layer.mlp);
const direction = Float32Array.from({ length: hiddenSize }, (_, i) => Math.sin(1 + 1.7 * i));
const prompt = (i) => Array.from({ length: 3 + (i % 20) }, (_, at) => (i * 7919 + at * 31) % vocabSize);
const generate = (i, options) =>
  model.generate(prompt(i), { maxNewTokens: 20, stopAtEos: false, ...options }).done;

class Half extends nn.HostModule {
  run(x, out) {
    for (const [i, value] of x.entries()) out[i] = value / 2;
  }
}
class Reading extends nn.Module {
  constructor(inner) {
    super();
    this.inner = inner;
  }
  forward(x) {
    return x.dataSync()[0] > 0 ? this.inner.call(x) : x;
  }
}

/** What is at work during generation number i: something else each time. */
function attach(i) {
  const layer = i % numHiddenLayers;
  const makers = [
    () => model.edit(`layers.${layer}.out`, edits.add(direction, { scale: 0.5, positions: { from: i % 5 } })),
    () => model.edit("layers.*.attn.z", edits.zero({ heads: [0] })),
    () => model.edit(`layers.${layer}.attn.pattern`, edits.scale(0.5)),
    () => model.hook(`layers.${layer}.mlp.act`, (x) => x.data.fill(0.01)),
    () => model.watch("layers.*.out", () => {}),
    () => model.watch(`layers.${layer}.attn.pattern`, () => {}),
    () => model.countFiring(),
    () => {
      model.layers[layer].mlp = i % 2 === 0 ? new Half() : new Reading(mlps[layer]);
      return {
        dispose() {
          model.layers[layer].mlp = mlps[layer];
        },
      };
    },
  ];
  return [makers[i % makers.length](), makers[(3 * i + 1) % makers.length]()];
}

async function round(i) {
  const handles = attach(i);
  await generate(i, { breakEverywhere: i % 11 === 0, capture: i % 13 !== 0 });
  for (const handle of handles) handle.dispose();
}

function measure(label) {
  globalThis.gc?.();
  const { bytesInUse, bytesCached } = model.device.memory();
  const { rss, heapUsed } = process.memoryUsage();
  const mb = (bytes) => `${(bytes / 1e6).toFixed(1).padStart(7)} MB`;
  console.log(
    `${label.padEnd(20)} RSS ${mb(rss)}   JS heap ${mb(heapUsed)}   tensors ${mb(bytesInUse)}   cached ${mb(bytesCached)}   plans ${model.runtime.plans.size}`,
  );
  return { rss, bytesInUse };
}

const first = await generate(1);
const rounds = Math.ceil(total / 20);
const started = performance.now();
let settled = measure("after 20 tokens");
let mostPlans = 0;
for (let i = 1; i < rounds; i++) {
  await round(i);
  mostPlans = Math.max(mostPlans, model.runtime.plans.size);
  if (i % Math.ceil(rounds / 10) === 0) {
    // What a collection finds is freed when the event loop runs again.
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const now = measure(`after ${i * 20} tokens`);
    if (i === 5 * Math.ceil(rounds / 10)) settled = now;
  }
}
globalThis.gc?.();
await new Promise((resolve) => setTimeout(resolve, 10));
const after = measure(`after ${rounds * 20} tokens`);
const last = await generate(1);
const same = first.ids.join() === last.ids.join();
const grown = (after.rss - settled.rss) / 1e6;
const tensors = (after.bytesInUse - settled.bytesInUse) / 1e6;
console.log(
  `${rounds * 20} tokens in ${((performance.now() - started) / 1000).toFixed(0)} s; in the second half RSS grew by ${grown.toFixed(1)} MB, tensors by ${tensors.toFixed(2)} MB; at most ${mostPlans} plans; the plain text is ${same ? "the same" : "another"}`,
);
process.exitCode = same && grown <= 16 && tensors <= 1 && mostPlans <= 8 ? 0 : 1;
