import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import {
  loadModel,
  mlpSparsity,
  neuronExamples,
  nn,
  ops,
  type Tensor,
  weightBytesPerToken,
} from "../../src/index.js";
import { withHost } from "../display/host.js";
import { failureOf } from "../support/codes.js";
import { sharedOrSkip } from "../support/shared.js";

sharedOrSkip("reference", "zeros of squared ReLU", (reference) => {
  const head64 = join(reference, "head64");

  it.each(["tiny-f32", "tiny-bf16-sharded", "head64"])(
    "%s has the zeros that transformers finds",
    async (name) => {
      const directory = join(reference, name);
      const { prompt_ids, mlp_zero_fraction } = JSON.parse(
        readFileSync(join(directory, "reference.json"), "utf8"),
      );
      const model = await loadModel(directory);
      const { zeroFraction, tokens } = await mlpSparsity(model, prompt_ids);
      expect(tokens).toBe(prompt_ids.length);
      // A pre-activation within rounding of zero may fall on the other side: two in a million activations.
      for (const [layer, share] of (mlp_zero_fraction as number[]).entries()) {
        expect(Math.abs(zeroFraction[layer] - share)).toBeLessThan(
          2e-6 + 3 / (tokens * model.config.intermediateSize),
        );
      }
    },
  );

  it("counts what runWithCache shows, whatever the chunks", async () => {
    const model = await loadModel(head64);
    const { intermediateSize, numHiddenLayers } = model.config;
    const texts = [
      Array.from({ length: 37 }, (_, n) => (n * 53) % 1000),
      Array.from({ length: 12 }, (_, n) => (n * 91 + 5) % 1000),
    ];
    const result = await mlpSparsity(model, texts, { chunkTokens: 10, bins: 20 });
    expect([...result.ids]).toEqual(texts.flat());
    expect([...result.positions].slice(35, 39)).toEqual([35, 36, 0, 1]);
    const { edges, counts, below, above } = result.preActivations;
    const bins = edges.length - 1;
    for (let layer = 0; layer < numHiddenLayers; layer++) {
      const act: number[] = [];
      const pre: number[] = [];
      for (const text of texts) {
        const { cache } = await model.runWithCache(text, {
          names: [`layers.${layer}.mlp.act`, `layers.${layer}.mlp.pre`],
        });
        act.push(...cache.get(`layers.${layer}.mlp.act`).data);
        pre.push(...cache.get(`layers.${layer}.mlp.pre`).data);
      }
      expect(result.zeroFraction[layer]).toBeCloseTo(
        act.filter((value) => value === 0).length / act.length,
        12,
      );
      const firing = new Uint32Array(intermediateSize);
      for (const [at, value] of act.entries()) if (value !== 0) firing[at % intermediateSize]++;
      expect(result.firingOf(layer)).toEqual(firing);
      const token = 40;
      const row = act.slice(token * intermediateSize, (token + 1) * intermediateSize);
      const byToken = result.zeroFractionByToken.data[layer * result.tokens + token];
      expect(byToken).toBeCloseTo(row.filter((value) => value === 0).length / intermediateSize, 6);
      const count = (low: number, high: number) => pre.filter((value) => value >= low && value < high).length;
      const binned = Array.from({ length: bins }, (_, bin) => counts[layer * bins + bin]);
      expect(below[layer] + above[layer] + binned.reduce((sum, value) => sum + value, 0)).toBe(pre.length);
      expect(below[layer]).toBe(count(Number.NEGATIVE_INFINITY, edges[0]));
      expect(edges).toContain(0);
      const left = binned
        .filter((_, bin) => edges[bin + 1] <= 0)
        .reduce((sum, value) => sum + value, below[layer]);
      expect(left).toBe(count(Number.NEGATIVE_INFINITY, 0));
    }
  });

  it("has figures, a table and a text of its own", async () => {
    const model = await loadModel(head64);
    const result = await mlpSparsity(model, [1, 2, 3, 4, 5]);
    for (const figure of [
      result.layerFigure(),
      result.tokenFigure(),
      result.positionFigure(),
      result.firingFigure(),
      result.preActivationFigure(),
      result.preActivationFigure(1),
      result.bytesFigure(),
    ]) {
      expect(JSON.stringify(figure.data)).not.toMatch(/NaN|Infinity/);
      expect((figure.layout.title as { text: string }).text).not.toBe("");
    }
    const { subtitle } = result.tokenFigure({ start: 1, end: 3 }).layout.title as {
      subtitle: { text: string };
    };
    expect(subtitle.text).toContain("tokens 1 to 2 of 5");
    expect(result.table().shape[0]).toBe(model.config.numHiddenLayers);
    const shown = (result as unknown as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]();
    expect(shown["text/html"]).toContain("computed from the counts, not measured");
    expect(() => result.tokenFigure({ start: 3, end: 1 })).toThrowError(/start and end/);
    expect(() => result.preActivationFigure(9)).toThrowError(/layer 9/);
  });

  it("says which site a swapped MLP does not mark", async () => {
    class Double extends nn.Module {
      protected override forward(x: Tensor): Tensor {
        return ops.add(x, x);
      }
    }
    const model = await loadModel(head64);
    model.layers[1].mlp = new Double();
    await expect(mlpSparsity(model, [1, 2, 3])).rejects.toMatchObject({ code: "SITE_MISSING" });
    // Its sequence was given back: the model still runs.
    expect((await model.logits([1, 2, 3])).shape[0]).toBe(3);
  });

  it("shows its progress and stops when the user interrupts", () =>
    withHost(async (sent, interrupt) => {
      const model = await loadModel(head64);
      const ids = Array.from({ length: 200 }, (_, n) => n);
      const running = failureOf(mlpSparsity(model, ids, { chunkTokens: 1 }));
      await vi.waitUntil(() => sent.length > 0, { interval: 1, timeout: 30_000 }); // its progress is shown
      interrupt();
      expect(await running).toMatch(/^INTERRUPTED/);
      expect(sent.at(-1)?.bundle["text/plain"]).toContain("interrupted after");
    }));

  it("finds where a neuron is strongest", async () => {
    const model = await loadModel(head64);
    const ids = Array.from({ length: 50 }, (_, n) => (n * 37) % 1000);
    const neuron = 7;
    const result = await neuronExamples(model, ids, {
      layer: 1,
      neuron,
      top: 3,
      context: 2,
      chunkTokens: 16,
    });
    const { cache } = await model.runWithCache(ids, { names: ["layers.1.mlp.act"] });
    const { data, shape } = cache.get("layers.1.mlp.act");
    const column = ids.map((_, row) => data[row * shape[1] + neuron]);
    const strongest = column
      .map((value, position) => ({ value, position }))
      .sort((a, b) => b.value - a.value);
    expect(result.rate).toBeCloseTo(column.filter((value) => value > 0).length / ids.length, 12);
    expect(result.examples.map(({ position }) => position)).toEqual(
      strongest
        .filter(({ value }) => value > 0)
        .slice(0, 3)
        .map(({ position }) => position),
    );
    expect(result.tokens.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(result.tokens.reduce((sum, { fired }) => sum + fired, 0)).toBe(
      column.filter((value) => value > 0).length,
    );
    await expect(neuronExamples(model, ids, { layer: 2, neuron })).rejects.toMatchObject({
      code: "INDEX_OUT_OF_RANGE",
    });
  });

  it.each([
    ["no text", [], {}, "PROMPT_EMPTY"],
    ["no bins", [1], { bins: 0 }, "SPARSITY_OPTIONS_INVALID"],
    ["chunks of nothing", [1], { chunkTokens: 0 }, "SPARSITY_OPTIONS_INVALID"],
    ["an unknown id", [5000], {}, "TOKEN_ID_OUT_OF_RANGE"],
  ])("refuses %s", async (_, ids, options, code) => {
    const model = await loadModel(head64);
    await expect(mlpSparsity(model, ids, options)).rejects.toMatchObject({ code });
  });
});

describe("weightBytesPerToken", () => {
  const persimmon8b = {
    hiddenSize: 4096,
    intermediateSize: 16384,
    numHiddenLayers: 36,
    numAttentionHeads: 64,
    vocabSize: 262144,
    qkLayernorm: true,
  };

  // 8.32e9 weights read; 201.3e6 in a layer's matrices, 67.1e6 of them in the down-projection; worked out by hand.
  it.each([
    [0, 16.65],
    [0.9, 12.3],
  ])("Persimmon-8B in bfloat16 with %d zeros reads %d GB", (zeros, gigabytes) => {
    const { dense, skipping, parts } = weightBytesPerToken(persimmon8b, zeros, 2);
    expect(dense / 1e9).toBeCloseTo(16.65, 2);
    expect(skipping / 1e9).toBeCloseTo(gigabytes, 2);
    expect(parts.reduce((sum, part) => sum + part.dense, 0)).toBe(dense);
  });

  it("takes a share for each layer", () => {
    const some = weightBytesPerToken(
      persimmon8b,
      Float64Array.from({ length: 36 }, (_, n) => (n < 18 ? 1 : 0)),
      2,
    );
    const half = weightBytesPerToken(persimmon8b, 0.5, 2);
    expect(some.skipping).toBe(half.skipping);
  });

  it.each([[1.5], [Number.NaN], [[0.5]]])("refuses %j", (share) => {
    expect(() => weightBytesPerToken(persimmon8b, share, 2)).toThrowError(
      expect.objectContaining({ code: "SPARSITY_OPTIONS_INVALID" }),
    );
  });
});
