import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { ablationStudy, edits, type LanguageModel, loadModel, type Site } from "../../src/index.js";
import { demoModelDirectory } from "../../src/load_model.js";
import { failureOf } from "../support/codes.js";
import { expectFigure } from "./figures.js";

let model: LanguageModel;
let layers: number[];
beforeAll(async () => {
  model = await loadModel();
  layers = Array.from({ length: model.config.numHiddenLayers }, (_, layer) => layer);
});
// Of the kind that the demo model was trained on.
const text =
  'In a quiet forest, there lived a gentle boy named Tom. On the way home, Tom heard a tiny rabbit behind a big rock. It had a hurt leg. "You poor rabbit," said Tom. He picked it up gently.';

async function loss(of: string = text): Promise<number> {
  const scores = await model.logprobs(of);
  return -scores.data.reduce((sum, score) => sum + score, 0) / scores.length;
}

describe("ablationStudy", () => {
  it.each(["zero", "mean"] as const)("%s: each part equals an edit by hand", async (kind) => {
    const study = await ablationStudy(model, text, { kind, layers: "all", heads: [1] });
    expect(study.parts.map(({ name }) => name)).toEqual([
      ...layers.flatMap((layer) => [`attention ${layer}`, `MLP ${layer}`]),
      ...[0, 1, 2, 3].map((head) => `head 1.${head}`),
    ]);
    expect(study.baseline).toBeCloseTo(await loss(), 5);
    const sites: Site[] = ["layers.*.attn.out", "layers.*.mlp.out", "layers.*.attn.z"];
    const { cache } = await model.runWithCache(text, { names: sites });
    for (const [index, { site, head }] of study.parts.entries()) {
      const filter = head === undefined ? {} : { heads: [head] };
      const spec = kind === "zero" ? edits.zero(filter) : edits.mean(cache.get(site), filter);
      using _ablated = model.edit(site, spec);
      const wanted = await loss();
      expect(study.loss[index]).toBeCloseTo(wanted, 5);
      expect(study.change[index]).toBeCloseTo(wanted - study.baseline, 4);
    }
    expect(model.runtime.interventions.size).toBe(0);
  });

  it("takes sites and several texts, whose mean is over all their tokens", async () => {
    const other = "Tom had a red ball.";
    const study = await ablationStudy(model, [text, other], { sites: ["layers.2.mlp.act"], kind: "zero" });
    using _ablated = model.edit("layers.2.mlp.act", edits.zero());
    const counts = [text, other].map((each) => model.encodePrompt(each).length - 1);
    const wanted = ((await loss()) * counts[0] + (await loss(other)) * counts[1]) / (counts[0] + counts[1]);
    expect(study.loss[0]).toBeCloseTo(wanted, 5);
    expect(study.tokens).toBe(counts[0] + counts[1]);
  });

  it("by default: attention and MLP of all layers, each of which is of use", async () => {
    const heldOut = readFileSync(join(demoModelDirectory(), "held-out.txt"), "utf8");
    const study = await ablationStudy(model, heldOut.split("|ENDOFTEXT|\n").slice(0, 12));
    expect(study.kind).toBe("mean");
    expect(study.parts).toHaveLength(2 * layers.length);
    expect(study.change.every((change) => change > 0)).toBe(true);
    expectFigure(study.figure(), "Loss without each part");
    expect(study.table().shape).toEqual([2 * layers.length, 4]);
    expect(() => study.headFigure()).toThrow(/no head was ablated/);
    const heads = await ablationStudy(model, text, { heads: "all" });
    expect(heads.parts).toHaveLength(layers.length * model.config.numAttentionHeads);
    expectFigure(heads.figure(), "Loss without each part");
    expect(heads.figure().data[0].type).toBe("heatmap");
  });

  it.each([
    [{ kind: "median" }, /^ABLATION_OPTIONS_INVALID: .*"zero" or "mean"/],
    [{ layers: [6] }, /^ABLATION_OPTIONS_INVALID: .*0 to 5, got 6/],
    [{ heads: 3 }, /^ABLATION_OPTIONS_INVALID: .*"all" or a list/],
    [{ layers: [] }, /^ABLATION_OPTIONS_INVALID: .*nothing to ablate/],
    [{ sites: ["layers.0.mlp.akt"] }, /^SITE_UNKNOWN/],
    [{ sites: ["layers.0.attn.pattern"] }, /^ABLATION_OPTIONS_INVALID: .*grows with the text/],
  ])("refuses %j", async (options, message) => {
    expect(await failureOf(ablationStudy(model, text, options as never))).toMatch(message);
  });

  it("has the mean of the logits over all positions", async () => {
    const study = await ablationStudy(model, text, { sites: ["logits"] });
    const { cache } = await model.runWithCache(text, { names: ["logits"] });
    using _ablated = model.edit("logits", edits.mean(cache.get("logits")));
    expect(study.loss[0]).toBeCloseTo(await loss(), 4);
  });

  it("refuses a text of one token", async () => {
    expect(await failureOf(ablationStudy(model, [5]))).toMatch(/at least two tokens/);
  });
});
