// node-llama-cpp in a process of its own, so that its threads do not meddle with ours: each message is one measurement.
//   node llama_process.mjs FILE.gguf THREADS
import { getLlama, LlamaLogLevel } from "node-llama-cpp";

const [, , modelPath, threads] = process.argv;
const llama = await getLlama({
  gpu: false,
  build: "never",
  logLevel: LlamaLogLevel.error,
  maxThreads: Number(threads),
});
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 4096, batchSize: 512, threads: Number(threads) });
const sequence = context.getSequence();

async function timed(run) {
  const start = performance.now();
  await run();
  return (performance.now() - start) / 1000;
}

/** Seconds of the prompt, and of `tokens` tokens after it. */
async function measure({ prompt, tokens }) {
  await sequence.clearHistory();
  const prefill = await timed(() => sequence.evaluateWithoutGeneratingNewTokens(prompt));
  let made = 0;
  const tokensAfter = sequence.evaluate([300], { temperature: 0, yieldEogToken: true });
  await tokensAfter.next(); // takes its first token's time
  const decode = await timed(async () => {
    while (made < tokens && !(await tokensAfter.next()).done) made += 1;
  });
  await tokensAfter.return();
  if (made < tokens) throw new Error(`only ${made} of ${tokens} tokens`);
  return { prefill, decode };
}

process.on("message", async (message) => {
  try {
    process.send(await measure(message));
  } catch (error) {
    process.send({ error: String(error) });
  }
});
process.send({ ready: true });
