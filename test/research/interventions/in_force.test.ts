import { inspect } from "node:util";
import { beforeEach, describe, expect, it } from "vitest";
import { type Displayable, jupyterDisplay } from "../../../src/display/mime.js";
import { ablationStudy, edits, type LanguageModel, loadModel } from "../../../src/index.js";
import { codeOf } from "../../support/codes.js";

const prompt = "The little fox found a key.";

let model: LanguageModel;
beforeEach(async () => {
  model = await loadModel();
});
const heading = async () => {
  const bundle = await (model as unknown as Displayable)[jupyterDisplay]();
  return (bundle["text/plain"] as string).split("\n")[0].split(":")[0];
};

describe("what is in force on a model", () => {
  it("a cell that is run again: each edit is listed, and all can be removed", async () => {
    const plain = (await model.logprobs(prompt)).total;
    const cell = async () => {
      const edit = model.edit("layers.2.attn.z", edits.scale(0.5));
      return [edit, (await model.logprobs(prompt)).total] as const;
    };
    const [, once] = await cell();
    const [, twice] = await cell();
    const [last] = await cell();
    expect(new Set([plain, once, twice]).size).toBe(3);
    expect(model.interventions).toHaveLength(3);
    expect(model.interventions[2]).toBe(last);
    model.interventions[0].dispose();
    expect((await model.logprobs(prompt)).total).toBe(twice);
    expect(model.clearInterventions()).toBe(2);
    expect(model.interventions).toEqual([]);
    expect((await model.logprobs(prompt)).total).toBe(plain);
    expect(codeOf(() => Object.assign(last, { scale: 2 }))).toBe("EDIT_DISPOSED");
    expect(model.clearInterventions()).toBe(0);
  });

  it("handles show what they are: kind, site, phase, what is done, and where", () => {
    const steer = model.edit("layers.3.attn.z", edits.scale(0.5, { heads: [1, 3], positions: { from: 2 } }));
    model.edit("layers.*.mlp.act", edits.zero({ units: [7] }), { phase: "decode" });
    const hook = model.hook("layers.1.out", function double(x) {
      for (const at of x.data.keys()) x.data[at] *= 2;
    });
    model.watch("logits", () => {}, { phase: "prefill" });
    const counter = model.countFiring();
    steer.scale = 0.25;
    expect(
      inspect(model.interventions, { depth: 4 })
        .split("\n")
        .map((line) => line.trim()),
    ).toEqual([
      "[",
      "edit layers.3.attn.z (prefill, decode): scale 0.25, heads 1 3, positions from 2,",
      "edit layers.*.mlp.act (decode): set 0, units 7,",
      expect.stringMatching(/^hook layers\.1\.out \(prefill, decode\): double [0-9a-f]{12},$/),
      "watch logits (prefill),",
      "count layers.*.mlp.act (prefill, decode)",
      "]",
    ]);
    expect(model.interventions.map(({ kind }) => kind)).toEqual(["edit", "edit", "hook", "watch", "count"]);
    expect([hook.site, hook.sites, hook.phase]).toEqual(["layers.1.out", ["layers.1.out"], undefined]);
    expect(counter.sites).toEqual(Array.from({ length: 6 }, (_, layer) => `layers.${layer}.mlp.act`));
    expect(steer.isInForce).toBe(true);
    steer.dispose();
    expect(steer.isInForce).toBe(false);
    expect(String(steer)).toMatch(/^edit layers\.3\.attn\.z .*positions from 2 \(disposed of\)$/);
    expect(model.interventions).toHaveLength(4);
  });

  it("the model's tree says how many there are", async () => {
    const about = `Persimmon “demo” on ${model.device.kind}, context 2,048`;
    expect(await heading()).toBe(about);
    const edit = model.edit("layers.0.out", edits.scale(0.9));
    model.edit("layers.1.out", edits.scale(0.9));
    model.watch("logits", () => {});
    expect(await heading()).toBe(`${about}, 2 edits + 1 watch in force (model.interventions)`);
    edit.dispose();
    model.countFiring();
    model.hook("layers.0.in", () => {});
    model.hook("layers.1.in", () => {});
    const counts = "1 edit + 2 hooks + 1 watch + 1 counter";
    expect(await heading()).toBe(`${about}, ${counts} in force (model.interventions)`);
    model.clearInterventions();
    expect(await heading()).toBe(about);
  });

  it("may be cleared while a generation runs, and not under the hands of a tool", async () => {
    const options = { maxNewTokens: 20, stopAtEos: false };
    const { ids } = await model.generate(prompt, options).done;
    model.edit("layers.1.out", edits.zero({ phase: "decode" }));
    const stream = model.generate(prompt, options);
    expect(model.clearInterventions()).toBe(1);
    expect((await stream.done).ids).toEqual(ids);

    let inside: string | undefined;
    const hook = model.hook("layers.0.in", () => {
      inside ??= codeOf(() => model.clearInterventions());
    });
    const study = ablationStudy(model, prompt, { progress: false });
    expect(codeOf(() => model.clearInterventions())).toBe("MODEL_BUSY");
    await study;
    expect(inside).toBe("MODEL_BUSY");
    expect(model.interventions).toEqual([hook]);
    expect(model.clearInterventions()).toBe(1);
  });
});
