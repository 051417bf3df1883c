import { createHash } from "node:crypto";
import { beforeAll, expect, it } from "vitest";
import { describeModel } from "../../../src/evals/run/model_record.js";
import { ablationStudy, edits, type LanguageModel, loadModel, nn } from "../../../src/index.js";
import { tinyCheckpoint } from "../../support/tiny_checkpoint.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel(await tinyCheckpoint());
});

const changed = async () => (await describeModel(model, new AbortController().signal)).changed;
const sha256 = (content: string | Uint8Array) =>
  createHash("sha256").update(content).digest("hex").slice(0, 12);

it("says of each edit what it does, with which numbers, where, and in which phase", async () => {
  const width = model.config.hiddenSize;
  const direction = Float32Array.from({ length: width }, (_, i) => i / width);
  const numbers = sha256(new Uint8Array(direction.buffer));
  using _heads = model.edit("layers.0.attn.z", edits.zero({ heads: [1, 0] }));
  using _units = model.edit("layers.0.mlp.act", edits.set(2.5, { units: [3, 5] }), { phase: "decode" });
  using steer = model.edit("layers.1.out", edits.add(direction, { scale: 4, positions: [2, 3] }));
  using _clamp = model.edit("layers.1.mid", edits.clamp({ max: 3, positions: { from: 2, to: 5 } }));
  using _noise = model.edit("embed.out", edits.noise({ deviation: 0.1, seed: 7 }), { phase: "prefill" });
  steer.scale = -1;
  expect((await changed()).interventions).toEqual([
    "edit embed.out (prefill): noise 0.1, seed 7",
    "edit layers.0.attn.z (prefill, decode): set 0, heads 1 0",
    "edit layers.0.mlp.act (decode): set 2.5, units 3 5",
    "edit layers.1.mid (prefill, decode): clamp -Infinity to 3, positions from 2 to 5",
    `edit layers.1.out (prefill, decode): add -1 × ${width} numbers ${numbers}, positions 2 3`,
  ]);
});

it("names many numbers by their hash, and kept values with their positions", async () => {
  const { cache } = await model.runWithCache([1, 270, 300], { names: ["layers.0.out"], keep: "all" });
  const units = Array.from({ length: 12 }, (_, i) => i);
  using _many = model.edit("layers.0.mlp.act", edits.scale(0.5, { units }));
  using _patch = model.edit("layers.0.out", edits.replace(cache));
  using _mean = model.edit("layers.0.out", edits.mean(cache.get("layers.0.out")));
  const { data } = cache.get("layers.0.out");
  const kept = `${data.length} numbers ${sha256(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))} at positions 0 1 2`;
  expect((await changed()).interventions).toEqual([
    `edit layers.0.mlp.act (prefill, decode): scale 0.5, units 0 1 2 3 4 5 6 7 … (12, ${sha256(units.join(" "))})`,
    // In the order in which they work.
    `edit layers.0.out (prefill, decode): replace 1 × ${kept}`,
    `edit layers.0.out (prefill, decode): replace 1 × the mean of ${kept}`,
  ]);
});

it("tells hooks and modules apart by their source and their settings", async () => {
  const double = (x: { data: Float32Array }) => x.data.map((value) => 2 * value);
  using _hook = model.hook("layers.1.out", double);
  using _watch = model.watch("layers.0.out", () => {});
  class Scaled extends nn.Module {
    constructor(
      readonly base: LanguageModel["layers"][number]["mlp"],
      readonly factor: number,
    ) {
      super();
    }

    protected override forward(x: Parameters<LanguageModel["layers"][number]["mlp"]["call"]>[0]) {
      return this.base.call(x);
    }
  }
  const original = model.layers[0].mlp;
  model.layers[0].mlp = new Scaled(original, 3);
  try {
    expect(await changed()).toEqual({
      modules: [`layers.0.mlp: Scaled ${sha256(String(Scaled))} { factor: 3 }`],
      interventions: [
        "watch layers.0.out (prefill, decode)",
        `hook layers.1.out (prefill, decode): double ${sha256(String(double))}`,
      ],
    });
  } finally {
    model.layers[0].mlp = original;
  }
  expect(await changed()).toMatchObject({ modules: [] });
});

it("does not take the edits of a tool that runs at the same time for the model's", async () => {
  const alone = await describeModel(model, new AbortController().signal);
  const text = Array.from({ length: 300 }, (_, i) => 5 + ((7 * i) % 200));
  let isRunning = true;
  const study = ablationStudy(model, text, { heads: "all", progress: false }).finally(() => {
    isRunning = false;
  });
  const beside: unknown[] = [];
  do {
    beside.push(await describeModel(model, new AbortController().signal));
  } while (isRunning);
  await study;
  for (const record of beside) expect(record).toEqual(alone);
});
