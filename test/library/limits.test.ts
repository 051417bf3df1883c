import { expect, it } from "vitest";
import { loadModel } from "../../src/load_model.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";

it("an interrupted prefill is a coded error and leaves the model usable", async () => {
  const model = await loadModel(await tinyCheckpoint());
  const signal = AbortSignal.abort();
  expect(await failureOf(model.prefill([3, 4, 5], { signal }))).toMatch(/^INTERRUPTED: /);
  expect((await model.logits([3, 4, 5])).shape).toEqual([3, tinyConfig.vocab_size]);
});

it("ids that the tokenizer does not have are generated without a text", async () => {
  const rows = tinyConfig.vocab_size + 200;
  const model = await loadModel(await tinyCheckpoint({ vocab_size: rows }));
  const { ids, text } = await model.generate([3], {
    temperature: 100,
    seed: 1,
    maxNewTokens: 64,
    stopAtEos: false,
  }).done;
  expect(ids.some((id) => id >= model.tokenizer.vocabSize)).toBe(true);
  const known = ids.filter((id) => id < model.tokenizer.vocabSize);
  expect(model.tokenizer.decode([3, ...known])).toContain(text.trimStart());
});
