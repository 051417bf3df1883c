import { beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import { Attention } from "../../../src/model/attention.js";
import { DecoderLayer } from "../../../src/model/decoder_layer.js";
import { MLP } from "../../../src/model/mlp.js";
import { type At, HostModule, LayerNorm, Linear, Module } from "../../../src/nn/index.js";
import type { LayerCache } from "../../../src/tensor/ops/index.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { expectSameBits } from "../../tensor/ops/on_device.js";
import { expectAlike, expectAlikeValues, expectSame, generated, type Made, onBothModels } from "./support.js";

class SameMlp extends MLP {
  protected override forward(x: Tensor): Tensor {
    return super.forward(x);
  }
}
class SameAttention extends Attention {
  protected override forward(x: Tensor, cache: LayerCache): Tensor {
    return super.forward(x, cache);
  }
}
class SameLayer extends DecoderLayer {
  protected override forward(x: Tensor, cache: LayerCache): Tensor {
    return super.forward(x, cache);
  }
}
class SameNorm extends LayerNorm {
  protected override forward(x: Tensor): Tensor {
    return super.forward(x);
  }
}
class SameLinear extends Linear {
  protected override forward(x: Tensor): Tensor {
    return super.forward(x);
  }
}

/** The MLP in float64, from the weights as numbers. */
class PlainMlp extends HostModule {
  readonly seen: At[] = [];
  private readonly up: Float32Array;
  private readonly upBias: Float32Array;
  private readonly down: Float32Array;
  private readonly downBias: Float32Array;
  constructor(mlp: MLP) {
    super();
    this.up = mlp.denseHTo4h.weight.dataSync();
    this.upBias = (mlp.denseHTo4h.bias as Tensor).dataSync();
    this.down = mlp.dense4hToH.weight.dataSync();
    this.downBias = (mlp.dense4hToH.bias as Tensor).dataSync();
  }
  protected override run(
    x: Float32Array,
    out: Float32Array,
    { rows, width }: { rows: number; width: number },
    at: At,
  ): void {
    this.seen.push(at);
    const inner = this.upBias.length;
    for (let row = 0; row < rows; row++) {
      const act = Float64Array.from({ length: inner }, (_, unit) => {
        let sum = this.upBias[unit];
        for (let i = 0; i < width; i++) sum += this.up[unit * width + i] * x[row * width + i];
        return Math.max(sum, 0) ** 2;
      });
      for (let i = 0; i < width; i++) {
        let sum = this.downBias[i];
        for (let unit = 0; unit < inner; unit++) sum += this.down[i * inner + unit] * act[unit];
        out[row * width + i] = sum;
      }
    }
  }
}

onBothModels("swapped modules", ({ load, prompt }) => {
  let model: LanguageModel;
  let plain: { made: Made; logits: Float32Array };
  beforeAll(async () => {
    const fresh = await load();
    plain = { made: await generated(fresh, prompt, 12), logits: (await fresh.logits(prompt)).data };
    model = await load();
  });

  it("a subclass that only calls super.forward gives the same bits, at every role", async () => {
    const swaps: Record<string, () => void> = {
      mlp: () => {
        const { mlp } = model.layers[1];
        model.layers[1].mlp = new SameMlp(mlp.denseHTo4h, mlp.dense4hToH);
      },
      attention: () => {
        const { selfAttn } = model.layers[0];
        model.layers[0].selfAttn = new SameAttention(selfAttn, selfAttn.heads, selfAttn.rotary);
      },
      head: () => {
        model.lmHead = new SameLinear(model.lmHead.weight, model.lmHead.bias);
      },
      layer: () => {
        const layer = model.layers[0];
        model.layers[0] = new SameLayer(layer);
      },
      norms: () => {
        const same = ({ weight, bias, epsilon }: LayerNorm) => new SameNorm(weight, bias, epsilon);
        const { selfAttn } = model.layers[1];
        model.layers[0].inputLayernorm = same(model.layers[0].inputLayernorm);
        model.finalLayernorm = same(model.finalLayernorm);
        selfAttn.qLayernorm = same(selfAttn.qLayernorm as LayerNorm);
      },
    };
    for (const [role, swap] of Object.entries(swaps)) {
      swap();
      // Without LayerNorm itself in front of queries and keys attention goes step by step.
      const isExact = role !== "norms";
      (isExact ? expectSameBits : expectAlikeValues)((await model.logits(prompt)).data, plain.logits);
      (isExact ? expectSame : expectAlike)(await generated(model, prompt, 12), plain.made);
      expect(model.plan().breaks).toEqual([]);
    }
  });

  it("an MLP in plain TypeScript agrees within 1e-4, also in generation, and is one break", async () => {
    const other = await load();
    const { mlp } = other.layers[1];
    const own = new PlainMlp(mlp);
    other.layers[1].mlp = own;
    const { data } = await other.logits(prompt);
    const largest = plain.logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - plain.logits[i])), 0);
    expect(worst).toBeLessThan(1e-4 * largest);
    const made = await generated(other, prompt, 12);
    expect(made.ids).toEqual(plain.made.ids);
    for (const [i, value] of made.logprobs.entries()) {
      expect(Math.abs(value - plain.made.logprobs[i])).toBeLessThan(1e-4 * largest);
    }
    expect(other.plan().breaks.map(({ label }) => label)).toEqual(["layers.1.mlp: PlainMlp"]);
    // One call for logits, then one for the prompt and one for each further token.
    expect(own.seen.map(({ positions }) => positions.length)).toEqual([
      prompt.length,
      prompt.length,
      ...Array(11).fill(1),
    ]);
    expect(own.seen.at(-1)).toEqual({
      site: "layers.1.mlp",
      layer: 1,
      phase: "decode",
      step: 11,
      positions: [prompt.length + 10],
      batch: [0],
    });
    other.layers[1].mlp = mlp;
    expectSame(await generated(other, prompt, 12), plain.made);
    expect(other.plan().breaks).toEqual([]);
  });

  it("a HostModule runs on all rows of a batch", async () => {
    const other = await load();
    const own = new PlainMlp(other.layers[0].mlp);
    other.layers[0].mlp = own;
    const prompts = [prompt, prompt.slice(0, 3), prompt.slice(2)];
    const alone = [];
    for (const each of prompts) alone.push((await generated(other, each, 8)).ids);
    own.seen.length = 0;
    const batch = await other.generateBatch(prompts, { maxNewTokens: 8, stopAtEos: false });
    expect(batch.map(({ ids }) => ids)).toEqual(alone);
    expect(own.seen.at(-1)?.batch).toEqual([0, 1, 2]);
    expect(own.seen.at(-1)?.positions).toEqual(prompts.map((each) => each.length + 6));
  });

  it("a layer that stands in two places has the sites of both", async () => {
    const other = await load();
    other.layers[1] = other.layers[0];
    const sites: string[] = [];
    other.watch("layers.*.mlp.act", (_, at) => sites.push(at.site), { phase: "decode" });
    const wanted = await generated(other, prompt, 4, { capture: false });
    expectSame(await generated(other, prompt, 4), wanted);
    const each = other.layers.map((_, n) => `layers.${n}.mlp.act`);
    expect(sites).toEqual(Array.from({ length: 6 }, () => each).flat());
  });

  describe("a module that reads a value in forward", () => {
    class Reader extends Module {
      reads = 0;
      constructor(private readonly inner: Module) {
        super();
      }
      protected override forward(x: Tensor): Tensor {
        const values = x.dataSync();
        this.reads += values.length > 0 ? 1 : 0;
        // Control flow that depends on values: a recording would fix it.
        return values[0] > 0 ? this.inner.call(x) : this.inner.call(x.reshape(x.shape));
      }
    }

    it("is right from the first token on and becomes a break that says how to avoid it", async () => {
      const other = await load();
      const { mlp } = other.layers[1];
      const reader = new Reader(mlp);
      other.layers[1].mlp = reader;
      expectSame(await generated(other, prompt, 12), plain.made);
      expect(reader.reads).toBeGreaterThanOrEqual(12);
      const text = other.plan().describe();
      expect(other.plan().breaks).toHaveLength(1);
      expect(text).toContain("layers.1.mlp");
      expect(text).toContain("HostModule");
      expectSame(await generated(other, prompt, 12), plain.made);
    });

    it("one that stands in two places is a break in each", async () => {
      const wanted = await load();
      const other = await load();
      const { mlp } = other.layers[1];
      wanted.layers[0].mlp = wanted.layers[1].mlp;
      other.layers[0].mlp = new Reader(mlp);
      other.layers[1].mlp = other.layers[0].mlp;
      const made = await generated(wanted, prompt, 12);
      for (let i = 0; i < 2; i++) expectSame(await generated(other, prompt, 12), made);
      expect(other.plan().breaks.map(({ label }) => label)).toEqual([
        "layers.0.mlp: Reader",
        "layers.1.mlp: Reader",
      ]);
    });

    it("values inside of it are watched anew for each token", async () => {
      const seen = async (other: LanguageModel) => {
        const values: Float32Array[] = [];
        other.watch("layers.1.mlp.act", (x) => values.push(x.data));
        for (let i = 0; i < 2; i++) await generated(other, prompt, 6);
        return values;
      };
      // A wrapper would have the site `layers.1.mlp.inner.act`: this one has its own tap in the MLP's place.
      class ReadingMlp extends MLP {
        protected override forward(x: Tensor): Tensor {
          x.dataSync();
          return super.forward(x);
        }
      }
      const wanted = await seen(await load());
      const other = await load();
      const { mlp } = other.layers[1];
      other.layers[1].mlp = new ReadingMlp(mlp.denseHTo4h, mlp.dense4hToH);
      const values = await seen(other);
      expect(values).toHaveLength(wanted.length);
      for (const [i, value] of values.entries()) expectSameBits(value, wanted[i]);
    });
  });
});
