import { beforeAll, describe, expect, it } from "vitest";
import { type LoadOptions, loadModel } from "../../src/load_model.js";
import { failureOf } from "../support/codes.js";
import { collectGarbage } from "../support/collect_garbage.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

let directory: string;
const prompt = [1, 270, 300, 5];
beforeAll(async () => {
  directory = await tinyCheckpoint();
});

describe.each<LoadOptions>([{}, { tensorParallel: 2, threads: 2 }])(
  "a model that is disposed of, with %j",
  (options) => {
    it("throws one clear error for every use, and none in a second call", async () => {
      const model = await loadModel(directory, options);
      const sequence = await model.prefill(prompt);
      const { runtime } = model;
      model.dispose();
      model.dispose();
      const disposed = /^MODEL_DISPOSED: this model was disposed of and has no weights any more/;
      for (const use of [
        model.logits(prompt),
        model.logprobs(prompt),
        model.prefill(prompt),
        model.generate(prompt).done,
        model.generate(prompt, { kv: sequence }).done,
        model.generateBatch([prompt]),
        model.runWithCache(prompt, { names: ["layers.0.out"] }),
        (async () => model.layers[0])(),
        (async () => model.kv)(),
        (async () => model.hook("layers.0.out", () => {}))(),
        runtime.forward([{ sequence, ids: [1], logits: "last" }]),
      ]) {
        expect(await failureOf(use)).toMatch(disposed);
      }
      const display = (model as unknown as Record<symbol, () => object>)[Symbol.for("Jupyter.display")];
      expect(display.call(model)).toHaveProperty(["text/plain"]);
    });

    it("gives back its weights, keys and values while someone still holds it", async () => {
      const model = await loadModel(directory, options);
      await model.generate(prompt, { maxNewTokens: 4 }).done;
      const weight = new WeakRef(model.layers[1].mlp.denseHTo4h.weight);
      const { keys } = model.kv.layers[0];
      await collectGarbage();
      expect(weight.deref()).toBeDefined();
      model.dispose();
      expect(() => keys.memory).toThrow("was used after its scope had ended or it was disposed");
      await collectGarbage();
      expect(weight.deref()).toBeUndefined();
      expect(model.maxLength).toBe(512);
    });

    it("is not while a generation runs, and ends a prompt at its next chunk", async () => {
      const model = await loadModel(directory, options);
      const stream = model.generate(prompt, { maxNewTokens: 8, stopAtEos: false });
      await Promise.resolve();
      expect(() => model.dispose()).toThrow(
        "a model cannot be disposed of while a generation of this model runs",
      );
      expect((await stream.done).ids).toHaveLength(8);
      model.runtime.chunkTokens = 1;
      const dispose = () => model.dispose();
      expect(await failureOf(model.logits(prompt, { onProgress: dispose }))).toMatch(/^MODEL_DISPOSED/);
    });
  },
);

it.each([0, 1, 3])(
  "a pass that is under way ends, with its values or the error, after %i turns",
  async (turns) => {
    const model = await loadModel(directory, { threads: 1 });
    const text = Array.from({ length: 500 }, (_, i) => 1 + (i % 270));
    const expected = await model.logits(text);
    const running = [model.logits(text), model.logits(text)];
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    model.dispose();
    for (const outcome of await Promise.allSettled(running)) {
      if (outcome.status === "fulfilled") expect(outcome.value.data).toEqual(expected.data);
      else expect(outcome.reason).toMatchObject({ code: "MODEL_DISPOSED" });
    }
  },
);

it("leaves whole what another model has, too", async () => {
  const other = await loadModel(directory);
  const before = await other.logits(prompt);
  {
    using model = await loadModel(directory);
    other.layers[1] = model.layers[1];
    other.lmHead = model.lmHead;
  }
  await collectGarbage();
  expect((await other.logits(prompt)).data).toEqual(before.data);
});
