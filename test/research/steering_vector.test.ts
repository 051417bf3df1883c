import { beforeAll, describe, expect, it } from "vitest";
import { edits, type LanguageModel, loadModel, type Site, steeringVector } from "../../src/index.js";
import { failureOf } from "../support/codes.js";
import { expectFigure } from "./figures.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});
const site: Site = "layers.2.out";
const pairs = [
  ["Lily was very happy", "Lily was very sad"],
  ["Tom felt happy", "Tom felt sad"],
  ["The dog was happy and", "The dog was sad and scared"],
] as const;

/** Mean activation over the given positions (from the end where negative), by hand. */
async function activation(text: string, of: (tokens: number) => number[]): Promise<number[]> {
  const { cache } = await model.runWithCache(text, { names: [site] });
  const { data, shape } = cache.get(site);
  const rows = of(shape[0]);
  return Array.from(
    { length: shape[1] },
    (_, i) => rows.reduce((sum, row) => sum + data[row * shape[1] + i], 0) / rows.length,
  );
}

describe("steeringVector", () => {
  it.each([
    ["last", (tokens: number) => [tokens - 1]],
    // Without BOS, which the demo's tokenizer puts in front.
    ["mean", (tokens: number) => Array.from({ length: tokens - 1 }, (_, at) => at + 1)],
  ] as const)("%s: equals the mean difference worked out by hand", async (position, rows) => {
    const vector = await steeringVector(model, { site, pairs, position });
    const wanted = new Float64Array(256);
    const differences: number[][] = [];
    for (const [positive, negative] of pairs) {
      const [plus, minus] = [await activation(positive, rows), await activation(negative, rows)];
      differences.push(plus.map((value, i) => value - minus[i]));
      for (const i of wanted.keys()) wanted[i] += (plus[i] - minus[i]) / pairs.length;
    }
    expect(vector.differences.shape).toEqual([3, 256]);
    for (const [i, value] of vector.direction.entries()) expect(value).toBeCloseTo(wanted[i], 4);
    const length = (values: ArrayLike<number>) => Math.hypot(...Array.from(values));
    expect(vector.norm).toBeCloseTo(length(wanted), 3);
    for (const [pair, difference] of differences.entries()) {
      const product = difference.reduce((sum, value, i) => sum + value * wanted[i], 0);
      expect(vector.cosines[pair]).toBeCloseTo(product / length(difference) / length(wanted), 4);
    }
  });

  it("steers: adding it raises what the positive prompts have, and projecting removes it", async () => {
    const vector = await steeringVector(model, { site, pairs });
    const along = async () => {
      const { cache } = await model.runWithCache("Lily was very", { names: [site], keep: "last" });
      return (
        cache.get(site).data.reduce((sum, value, i) => sum + value * vector.direction[i], 0) / vector.norm
      );
    };
    const before = await along();
    {
      using _steer = model.edit(vector.site, edits.add(vector.direction, { scale: 2 }));
      expect(await along()).toBeCloseTo(before + 2 * vector.norm, 2);
    }
    using _without = model.edit(vector.site, edits.project(vector.direction));
    expect(await along()).toBeCloseTo(0, 3);
  });

  it("has a figure, a table and a text", async () => {
    const vector = await steeringVector(model, { site, pairs });
    expectFigure(vector.figure(), "Steering vector at layers.2.out");
    expect(vector.table().shape).toEqual([3, 4]);
    expect(vector.pairs[0][0]).toContain("Lily was very happy");
    const shown = (vector as unknown as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]();
    expect(shown["text/plain"]).toMatch(/256 numbers of length .* from 3 pairs/);
  });

  it.each([
    [{ site: "layers.*.out", pairs }, /^STEERING_OPTIONS_INVALID: .*one site/],
    [{ site: "layers.0.attn.pattern", pairs }, /^STEERING_OPTIONS_INVALID: .*one site/],
    [{ site: "layers.9.out", pairs }, /^SITE_UNKNOWN/],
    [{ site, pairs: [] }, /^STEERING_OPTIONS_INVALID: .*pairs/],
    [{ site, pairs: [["only one"]] }, /^STEERING_OPTIONS_INVALID: .*pairs/],
    [{ site, pairs, position: "first" }, /^STEERING_OPTIONS_INVALID: .*"last" or "mean"/],
    [undefined, /^OPTION_INVALID/],
  ])("refuses %j", async (options, message) => {
    expect(await failureOf(steeringVector(model, options as never))).toMatch(message);
  });
});
