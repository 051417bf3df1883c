/** Loads a model, generates 32 tokens, and prints what it took as JSON: node generate.mjs FOLDER */
import { join } from "node:path";
import { root } from "../bootstrap/paths.mjs";

const { loadModel } = await import(join(root, "dist", "src", "index.js"));

const started = performance.now();
const model = await loadModel(process.argv[2]);
const loaded = performance.now();
const prompt = model.tokenizer.encode("human: Once upon a time there was a fox\n\nadept:", { bos: true });
const { ids } = await model.generate(prompt, { maxNewTokens: 32 }).done;
const done = performance.now();
process.stdout.write(
  `${JSON.stringify({
    dtype: model.dtype,
    loadSeconds: (loaded - started) / 1000,
    generateSeconds: (done - loaded) / 1000,
    promptTokens: prompt.length,
    ids,
  })}\n`,
);
