import { beforeAll, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import { tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});
const prompt = [1, 270, 300, 271];

it("100 generations of every kind leave the memory exactly where it was", async () => {
  let before = 0;
  for (let i = 0; i < 130; i++) {
    // By then there is a plan for each batch size and each way to choose tokens: all come again after 30.
    if (i === 30) before = model.device.memory().bytesInUse;
    const options = { maxNewTokens: 4, temperature: i % 2, seed: i, logprobs: i % 3 === 0, stopAtEos: false };
    switch (i % 5) {
      case 0:
        for await (const _ of model.generate(prompt, options)) break;
        break;
      case 1:
        await model.generateBatch([prompt, [5]], options);
        break;
      case 2:
        await model.generate(prompt, { ...options, topK: -1 }).done.catch(() => {});
        break;
      case 3: {
        using kv = await model.prefill(prompt);
        using fork = kv.fork();
        await model.generate([7], { ...options, kv: fork }).done;
        break;
      }
      default:
        await model.generate(prompt, options).done;
    }
  }
  await model.logits(prompt);
  await model.logprobs(prompt);
  // A generation that was left early ends with the step under way.
  await model.generate(prompt, { maxNewTokens: 1 }).done;
  expect(model.device.memory().bytesInUse).toBe(before);
  using sequence = model.kv.createSequence();
  sequence.extend(4 * tinyConfig.max_position_embeddings);
});

it("what is cached for the next tensors does not grow with the number of runs", async () => {
  const run = () => model.generate(prompt, { maxNewTokens: 30, stopAtEos: false }).done;
  await run();
  const { bytesCached } = model.device.memory();
  for (let i = 0; i < 20; i++) await run();
  expect(model.device.memory().bytesCached).toBe(bytesCached);
});
