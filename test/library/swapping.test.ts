import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/language_model.js";
import { loadModel } from "../../src/load_model.js";
import type { Attention } from "../../src/model/attention.js";
import type { MLP } from "../../src/model/mlp.js";
import { LayerNorm, Linear, Module, tap } from "../../src/nn/index.js";
import { allSites } from "../../src/runtime/sites.js";
import * as ops from "../../src/tensor/ops/index.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { collectGarbage } from "../support/collect_garbage.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";
import { expectSameBits } from "../tensor/ops/on_device.js";

const ids = [1, 270, 300, 5, 9, 11, 280];
let directory: string;
let model: LanguageModel;
let plain: Float32Array;
beforeAll(async () => {
  directory = await tinyCheckpoint();
  plain = (await (await loadModel(directory)).logits(ids)).data;
});
beforeEach(async () => {
  model = await loadModel(directory);
});
const logits = async () => (await model.logits(ids)).data;

/** An MLP as a researcher writes it, out of ops. */
class OwnMlp extends Module {
  weights: { up: Tensor; upBias: Tensor; down: Tensor; downBias: Tensor };
  constructor(mlp: MLP) {
    super();
    const up = mlp.denseHTo4h as Linear;
    const down = mlp.dense4hToH as Linear;
    this.weights = { up: up.weight, upBias: up.bias!, down: down.weight, downBias: down.bias! };
  }
  protected override forward(x: Tensor): Tensor {
    const { up, upBias, down, downBias } = this.weights;
    const act = tap("act", ops.reluSquared(ops.linear(x, up, upBias)));
    return ops.linear(act, down, downBias);
  }
}

/** Goes on as the original, after something of its own. */
class Wrapper extends Module {
  calls = 0;
  paths: string[] = [];
  inner: Module;
  constructor(inner: Module) {
    super();
    this.inner = inner;
  }
  protected override forward(x: Tensor): Tensor {
    this.calls++;
    this.paths.push(this.path);
    return this.inner.call(x);
  }
}

class Failing extends Module {
  protected override forward(): Tensor {
    throw new Error("on purpose");
  }
}

class OwnNorm extends LayerNorm {
  calls = 0;
  protected override forward(x: Tensor): Tensor {
    this.calls++;
    return super.forward(x);
  }
}

describe("swapping a module is an assignment", () => {
  it("an MLP of ops that does the same gives the same bits, and its taps have the place's name", async () => {
    model.layers[1].mlp = new OwnMlp(model.layers[1].mlp as MLP);
    expectSameBits(await logits(), plain);
    const { cache } = await model.runWithCache(ids, { names: ["layers.*.mlp.act"] });
    expect(cache.sites).toEqual(["layers.0.mlp.act", "layers.1.mlp.act"]);
  });

  it("a wrapper knows its place, wherever it stands", async () => {
    const wrappers = [
      new Wrapper(model.layers[0].mlp),
      new Wrapper(model.lmHead),
      new Wrapper(model.embedTokens),
    ];
    [model.layers[0].mlp, model.lmHead, model.embedTokens] = wrappers;
    expectSameBits(await logits(), plain);
    expect(wrappers.map((wrapper) => wrapper.paths)).toEqual([["layers.0.mlp"], ["lmHead"], ["embedTokens"]]);
  });

  it("one module in two places has both names", async () => {
    const shared = new Wrapper(model.layers[0].mlp);
    model.layers[0].mlp = shared;
    model.layers[1].mlp = shared;
    await logits();
    expect(shared.paths).toEqual(["layers.0.mlp", "layers.1.mlp"]);
  });

  it("what it changes is seen at once, and is gone when it is put back", async () => {
    const { mlp } = model.layers[1];
    const linear = (mlp as MLP).dense4hToH as Linear;
    (mlp as MLP).dense4hToH = new Linear(linear.weight);
    expect(Buffer.from((await logits()).buffer).equals(Buffer.from(plain.buffer))).toBe(false);
    (mlp as MLP).dense4hToH = linear;
    expectSameBits(await logits(), plain);
  });

  it("layers can be left out, and generation follows", async () => {
    const all = await model.generate(ids, { maxNewTokens: 8, stopAtEos: false }).done;
    class Skip extends Module<[x: Tensor, cache: ops.LayerCache]> {
      protected override forward(x: Tensor): Tensor {
        return x;
      }
    }
    (model.layers as Module<[x: Tensor, cache: ops.LayerCache]>[])[1] = new Skip();
    const short = await model.generate(ids, { maxNewTokens: 8, stopAtEos: false }).done;
    expect(short.ids).not.toEqual(all.ids);
  });
});

describe("attention with swapped norms", () => {
  const norms = (at: LanguageModel) => at.layers.map((layer) => layer.selfAttn as Attention);

  it("a subclass of LayerNorm goes step by step, to the same bits", async () => {
    for (const attention of norms(model)) {
      const { weight, bias, epsilon } = attention.qLayernorm as LayerNorm;
      attention.qLayernorm = new OwnNorm(weight, bias, epsilon);
    }
    expectSameBits(await logits(), plain);
    // The fused kernel would not have asked it.
    for (const attention of norms(model)) expect((attention.qLayernorm as OwnNorm).calls).toBe(1);
    const all = allSites(model.config);
    const own = await model.runWithCache(ids, { names: all });
    const fused = await (await loadModel(directory)).runWithCache(ids, {
      names: all.filter((site) => !site.endsWith("pattern")),
    });
    for (const site of fused.cache.sites) {
      expectSameBits(own.cache.get(site as never).data, fused.cache.get(site as never).data);
    }
    const generated = await model.generate(ids, { maxNewTokens: 10, stopAtEos: false }).done;
    const plainModel = await loadModel(directory);
    expect(generated.ids).toEqual(
      (await plainModel.generate(ids, { maxNewTokens: 10, stopAtEos: false }).done).ids,
    );
  });

  it("other epsilons in one of the norms, or one norm alone, are honoured", async () => {
    const attention = norms(model)[0];
    (attention.qLayernorm as LayerNorm).epsilon = 0.5;
    const changed = await logits();
    expect(Buffer.from(changed.buffer).equals(Buffer.from(plain.buffer))).toBe(false);
    // Step by step (a wrapped norm is never fused) it is the same.
    attention.qLayernorm = new Wrapper(attention.qLayernorm!);
    expectSameBits(await logits(), changed);
    attention.qLayernorm = undefined;
    const without = await logits();
    expect(Buffer.from(without.buffer).equals(Buffer.from(changed.buffer))).toBe(false);
    expect(without.every(Number.isFinite)).toBe(true);
  });
});

describe("a module that throws", () => {
  it("leaves model, KV cache and memory as they were", async () => {
    await model.generate(ids, { maxNewTokens: 2 }).done;
    await collectGarbage();
    const before = model.device.memory().bytesInUse;
    const { mlp } = model.layers[1];
    using kv = await model.prefill(ids);
    model.layers[1].mlp = new Failing();
    for (let i = 0; i < 3; i++) {
      await expect(model.generate(ids, { kv }).done).rejects.toThrow("on purpose");
      expect(kv.length).toBe(ids.length);
      await expect(model.logits(ids)).rejects.toThrow("on purpose");
      await expect(model.logprobs(ids)).rejects.toThrow("on purpose");
      await expect(model.prefill(ids)).rejects.toThrow("on purpose");
      await expect(model.runWithCache(ids, { names: ["layers.0.out"] })).rejects.toThrow("on purpose");
    }
    model.layers[1].mlp = mlp;
    await collectGarbage();
    expect(model.device.memory().bytesInUse).toBe(before);
    expectSameBits(await logits(), plain);
    const rest = [7, 8];
    const after = await model.generate(rest, { kv, maxNewTokens: 6, stopAtEos: false }).done;
    const whole = await model.generate([...ids, ...rest], { maxNewTokens: 6, stopAtEos: false }).done;
    expect(after.ids).toEqual(whole.ids);
  });

  it("a module that returns something else gives a coded error", async () => {
    class Wrong extends Module {
      protected override forward(): Tensor {
        return [1, 2] as never;
      }
    }
    model.layers[0].mlp = new Wrong();
    await expect(model.logits(ids)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
    class Narrow extends Module {
      protected override forward(x: Tensor): Tensor {
        return x.rows(0, 1);
      }
    }
    model.layers[0].mlp = new Narrow();
    await expect(model.logits(ids)).rejects.toMatchObject({ code: "SHAPE_MISMATCH" });
  });
});
