import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import { loadModel } from "../../../src/load_model.js";
import { edits } from "../../../src/research/edits.js";
import { expectNear } from "../../support/fixtures.js";
import { readReferenceTensors } from "../../support/reference_tensors.js";
import { repositoryRoot } from "../../support/shared.js";

// Written by scripts/reference/interventions.py: the same interventions as forward hooks in Hugging Face transformers.
const directory = join(repositoryRoot, "test/fixtures/interventions");
const reference: {
  prompt_ids: number[];
  other_ids: number[];
  every_column: number;
  units: number[];
  head: number;
  direction: number[];
  cases: { name: string; greedy_ids: number[] }[];
} = JSON.parse(readFileSync(join(directory, "interventions.json"), "utf8"));
const tensors = readReferenceTensors(join(directory, "interventions.safetensors"));
const { prompt_ids: prompt, other_ids: other, units, head } = reference;

/** What each case does here. */
const made: Record<string, (model: LanguageModel) => Promise<unknown> | unknown> = {
  nothing: () => {},
  "ablate neurons": (model) => model.edit("layers.1.mlp.act", edits.zero({ units })),
  "ablate neurons in decoding": (model) =>
    model.edit("layers.2.mlp.act", edits.zero({ units }), { phase: "decode" }),
  steer: (model) =>
    model.edit("layers.1.out", edits.add(reference.direction, { scale: 1.5, positions: { from: 3 } })),
  "replace at a position": async (model) => {
    const { cache } = await model.runWithCache(other, { names: ["layers.1.out"], keep: [5, 12] });
    model.edit("layers.1.out", edits.replace(cache));
  },
  "patch a head": async (model) => {
    const { cache } = await model.runWithCache(other, { names: ["layers.2.attn.z"] });
    const where = { heads: [head], positions: { from: 2, to: 14 } };
    model.edit("layers.2.attn.z", edits.replace(cache.get("layers.2.attn.z"), where));
  },
  "ablate a head": (model) => model.edit("layers.*.attn.z", edits.zero({ heads: [head] })),
  "project out": (model) => model.edit("layers.*.out", edits.project(reference.direction)),
};

describe("edits against forward hooks in transformers", () => {
  it("the cases are those of the file, and they change the text or the logits", () => {
    expect(Object.keys(made)).toEqual(reference.cases.map(({ name }) => name));
    const plain = tensors.get("nothing.last")?.data as Float64Array;
    for (const { name } of reference.cases.slice(1)) {
      const last = tensors.get(`${name.replaceAll(" ", "-")}.last`)?.data as Float64Array;
      const change = last.reduce((most, value, i) => Math.max(most, Math.abs(value - plain[i])), 0);
      expect(change, name).toBeGreaterThan(0.02);
    }
  });

  describe.each(reference.cases)("$name", ({ name, greedy_ids: ids }) => {
    let model: LanguageModel;
    const key = name.replaceAll(" ", "-");
    beforeAll(async () => {
      model = await loadModel(undefined, { dtype: "float32" });
      await made[name](model);
    });

    it("gives the logits of the prompt within 5e-4", async () => {
      const { data, shape } = await model.logits(prompt);
      const wanted = tensors.get(`${key}.prompt`);
      expect(wanted?.shape[0]).toBe(prompt.length);
      const found = Array.from({ length: prompt.length }, (_, row) =>
        [...data.subarray(row * shape[1], (row + 1) * shape[1])].filter(
          (_value, column) => column % reference.every_column === 0,
        ),
      ).flat();
      expectNear(`${name}: prompt`, found, wanted?.data as Float64Array, 5e-4);
    });

    it("gives the greedy ids, and the logits of the last within 5e-4", async () => {
      let last = new Float32Array();
      using _ = model.watch("logits", (x) => {
        last = x.row(-1).slice();
      });
      const stream = model.generate(prompt, { maxNewTokens: ids.length, stopAtEos: false });
      expect((await stream.done).ids).toEqual(ids);
      const wanted = tensors.get(`${key}.last`)?.data as Float64Array;
      expectNear(`${name}: last logits`, last, wanted, 5e-4);
    });
  });
});
