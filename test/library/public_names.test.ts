import { expect, it } from "vitest";
import { loadModel, nn, ops, type Tensor } from "../../src/index.js";

/** An MLP of the reader's own, around the one that was there. */
class OwnMlp extends nn.Module {
  readonly base: Awaited<ReturnType<typeof loadModel>>["layers"][number]["mlp"];

  constructor(base: OwnMlp["base"]) {
    super();
    this.base = base;
  }

  protected override forward(x: Tensor): Tensor {
    const act = nn.tap("act", ops.reluSquared(this.base.denseHTo4h.call(x)));
    return this.base.dense4hToH.call(act);
  }
}

// The names of the design, used as a cell would: this file has to compile as well as to run.
it("reads modules as what they are and lets any module of their role be assigned", async () => {
  const model = await loadModel();
  const { hiddenSize, intermediateSize, vocabSize, headDim } = model.config;
  const layer = model.layers[1];
  expect(model.embedTokens.weight.shape).toEqual([vocabSize, hiddenSize]);
  expect(model.lmHead.weight.shape).toEqual([vocabSize, hiddenSize]);
  expect(model.finalLayernorm.bias.shape).toEqual([hiddenSize]);
  expect(layer.inputLayernorm.weight.shape).toEqual([hiddenSize]);
  expect(layer.postAttentionLayernorm.weight.shape).toEqual([hiddenSize]);
  expect(layer.selfAttn.queryKeyValue.weight.shape).toEqual([3 * hiddenSize, hiddenSize]);
  expect(layer.selfAttn.qLayernorm?.weight.shape).toEqual([headDim]);
  expect(layer.selfAttn.kLayernorm?.weight.shape).toEqual([headDim]);
  expect(layer.selfAttn.dense.bias?.shape).toEqual([hiddenSize]);
  expect(layer.mlp.denseHTo4h.weight.shape).toEqual([intermediateSize, hiddenSize]);
  expect(layer.mlp.dense4hToH.weight.shape).toEqual([hiddenSize, intermediateSize]);

  const before = await model.logits("Once upon a time");
  const original = layer.mlp;
  layer.mlp = new OwnMlp(layer.mlp);
  const swapped = await model.logits("Once upon a time");
  expect(swapped.data).toEqual(before.data);
  const { cache } = await model.runWithCache("Once upon a time", { names: ["layers.1.mlp.act"] });
  expect(cache.get("layers.1.mlp.act").shape[1]).toBe(intermediateSize);
  layer.mlp = original;
  expect((await model.logits("Once upon a time")).data).toEqual(before.data);
});
