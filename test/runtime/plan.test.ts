import { beforeAll, describe, expect, it } from "vitest";
import { edits, type LanguageModel, loadModel, nn } from "../../src/index.js";
import { tinyCheckpoint, tinyConfig } from "../support/tiny_checkpoint.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});
const run = () => model.generate([1, 270, 300], { maxNewTokens: 4, stopAtEos: false }).done;
/** The ops of the plan, without the sizes that follow from the checkpoint. */
const opsOf = () => model.plan().segments.map((segment) => segment.map((op) => op.split(" ")[0]));

const layer = [
  "layerNorm",
  "linear",
  "fusedAttention",
  "linear",
  "add",
  "layerNorm",
  "linear",
  "reluSquared",
  "linearByInput",
  "add",
];
const layers = Array.from({ length: tinyConfig.num_hidden_layers }, () => layer).flat();
/** The model, and the choice of the token after it. */
const whole = ["embedding", ...layers, "layerNorm", "linear", "argmax", "advance"];
/** `whole` with something behind the n-th op of a name. */
const behind = (name: string, n: number, ...more: string[]) => {
  const list = [...whole];
  let at = -1;
  for (let i = 0; i <= n; i++) at = list.indexOf(name, at + 1);
  list.splice(at + 1, 0, ...more);
  return list;
};

describe("the ops of a decode plan", () => {
  it("are those of the model, in one segment", async () => {
    expect(model.plan().describe()).toContain("No plan yet");
    await run();
    expect(opsOf()).toEqual([whole]);
    expect(model.plan().describe()).toBe(`decode, batch of 1: 1 segment, 0 breaks, ${whole.length} ops`);
  });

  it("with an edit: one op more; with a watch: one copy more; with a counter: one count more", async () => {
    using _ = model.edit("layers.0.mlp.act", edits.zero());
    await run();
    expect(opsOf()).toEqual([behind("reluSquared", 0, "edit")]);
    {
      using _watch = model.watch("layers.0.mlp.act", () => {});
      await run();
      expect(opsOf()).toEqual([behind("reluSquared", 0, "edit", "copyBytes")]);
    }
    using _count = model.countFiring("layers.0.mlp.act");
    await run();
    expect(opsOf()).toEqual([behind("reluSquared", 0, "edit", "countPositive")]);
  });

  it("with a hook: two segments, cut behind a copy of the value", async () => {
    using _ = model.hook("layers.0.mlp.act", () => {});
    await run();
    const list = behind("reluSquared", 0, "copyBytes");
    const cut = list.indexOf("copyBytes") + 1;
    expect(opsOf()).toEqual([list.slice(0, cut), list.slice(cut)]);
    expect(model.plan().breaks).toEqual([
      {
        after: 0,
        label: "layers.0.mlp.act: hook",
        reason: "a hook runs JavaScript; an edit stays in the plan",
      },
    ]);
  });

  it("with a pattern that is looked at: that layer alone takes the attention step by step", async () => {
    using _ = model.watch("layers.1.attn.pattern", () => {});
    await run();
    const [ops] = opsOf();
    const steps = ["attentionPattern", "attentionValues", "cacheAppend", "rotary", "rotary", "splitHeads"];
    for (const step of steps) expect(ops.filter((op) => op === step)).toHaveLength(step === "rotary" ? 2 : 1);
    expect(ops.filter((op) => op === "fusedAttention")).toHaveLength(tinyConfig.num_hidden_layers - 1);
  });

  it("with a HostModule: one break, named after its place and class", async () => {
    class Doubled extends nn.HostModule {
      protected override run(x: Float32Array, out: Float32Array): void {
        for (const i of x.keys()) out[i] = 2 * x[i];
      }
    }
    const { mlp } = model.layers[1];
    model.layers[1].mlp = new Doubled();
    try {
      await run();
      expect(model.plan().breaks.map(({ label }) => label)).toEqual(["layers.1.mlp: Doubled"]);
    } finally {
      model.layers[1].mlp = mlp;
    }
    await run();
    expect(opsOf()).toEqual([whole]);
  });

  it("reads positions from memory: one plan for all steps, and one for each batch size", async () => {
    await run();
    const plan = model.runtime.plans.latest;
    await model.generate([1, 5], { maxNewTokens: 60, stopAtEos: false }).done;
    expect(model.runtime.plans.latest).toBe(plan);
    await model.generateBatch([[1, 5], [7], [8, 9, 10]], { maxNewTokens: 5, stopAtEos: false });
    expect(model.plan().describe()).toMatch(/^decode, batch of 3: 1 segment/);
  });
});
