import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import { loadModel } from "../../../src/load_model.js";
import { MLP } from "../../../src/model/mlp.js";
import { HostModule, type Module } from "../../../src/nn/index.js";
import { edits } from "../../../src/research/edits.js";
import type { Phase } from "../../../src/runtime/interventions.js";
import type { Site } from "../../../src/runtime/sites.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { tinyCheckpoint } from "../../support/tiny_checkpoint.js";
import { direction, expectSame, generated } from "./support.js";

let directory: string;
beforeAll(async () => {
  directory = await tinyCheckpoint();
});

/** Something to do to a model, the same to any model of the checkpoint. */
type Change = { phase: Phase | undefined; layer: 0 | 1 } & (
  | { kind: "edit"; site: number; spec: number }
  | { kind: "hook" | "watch"; site: number }
  | { kind: "count" }
);
type Swap = "same" | "subclass" | "host" | "reader" | "half";
type Action =
  | { do: "attach"; change: Change }
  | { do: "detach"; which: number }
  | { do: "swap"; layer: 0 | 1; swap: Swap }
  | { do: "generate"; seed: number };

const sites = ["in", "mid", "out", "attn.q", "attn.v", "attn.kRot", "attn.z", "mlp.in", "mlp.out"];
const specs = [
  edits.add(direction(32)),
  edits.scale(0.5),
  edits.zero({ units: [0, 7, 31] }),
  edits.set(0.25, { positions: [1, 6] }),
  edits.project(direction(32)),
  edits.noise({ deviation: 0.5, seed: 4 }),
  edits.clamp({ min: -0.5, max: 0.5 }),
];

class Subclass extends MLP {
  protected override forward(x: Tensor): Tensor {
    return super.forward(x);
  }
}
class Reader extends MLP {
  protected override forward(x: Tensor): Tensor {
    return x.dataSync()[0] > 0 ? super.forward(x) : x;
  }
}
class Half extends HostModule {
  protected override run(x: Float32Array, out: Float32Array): void {
    for (const [i, value] of x.entries()) out[i] = value / 2;
  }
}

/** A model with its own MLPs at hand, and what each change has seen. */
class Subject {
  readonly seen: number[] = [];
  private readonly mlps: MLP[];
  private readonly swapped = new Map<string, Module>();
  constructor(readonly model: LanguageModel) {
    this.mlps = model.layers.map((layer) => layer.mlp);
  }

  attach(change: Change): { dispose(): void } {
    const { phase, layer } = change;
    if (change.kind === "count") return this.model.countFiring("layers.*.mlp.act", { phase });
    const site = `layers.${layer}.${sites[change.site]}` as Site;
    if (change.kind === "edit") {
      return this.model.edit(site, specs[change.spec], phase === undefined ? {} : { phase });
    }
    if (change.kind === "watch") {
      return this.model.watch(site, (x, at) => this.seen.push(at.step, ...x.data.slice(0, 2)), { phase });
    }
    const add = (x: { data: Float32Array }) => {
      for (const i of x.data.keys()) x.data[i] += 0.125;
    };
    return this.model.hook(site, add, { phase });
  }

  swap(layer: number, swap: Swap): void {
    const mlp = this.mlps[layer];
    const key = `${layer} ${swap}`;
    // The same module each time: going back and forth finds the old plans.
    const make = {
      same: () => mlp,
      subclass: () => new Subclass(mlp.denseHTo4h, mlp.dense4hToH),
      reader: () => new Reader(mlp.denseHTo4h, mlp.dense4hToH),
      host: () => new Half(),
      half: () => new Subclass(mlp.denseHTo4h, mlp.denseHTo4h === undefined ? mlp : mlp.dense4hToH),
    }[swap];
    const module = this.swapped.get(key) ?? make();
    this.swapped.set(key, module);
    this.model.layers[layer].mlp = module;
  }
}

const layer = fc.constantFrom<0 | 1>(0, 1);
const phase = fc.constantFrom<Phase | undefined>(undefined, "prefill", "decode");
const site = fc.nat(sites.length - 1);
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constant("edit" as const), phase, layer, site, spec: fc.nat(specs.length - 1) }),
  fc.record({ kind: fc.constantFrom("hook" as const, "watch" as const), phase, layer, site }),
  fc.record({ kind: fc.constant("count" as const), phase, layer }),
);
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("attach" as const), change }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("detach" as const), which: fc.nat(20) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("swap" as const),
      layer,
      swap: fc.constantFrom<Swap>("same", "subclass", "host", "reader", "half"),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("generate" as const), seed: fc.nat(1000) }) },
);

it("whatever was attached, detached and swapped before, a model gives what a fresh one gives with the same set", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 24 }), async (actions) => {
      const subject = new Subject(await loadModel(directory));
      const { model } = subject;
      const attached: { change: Change; handle: { dispose(): void } }[] = [];
      const swaps: [Swap, Swap] = ["same", "same"];
      for (const each of actions) {
        if (each.do === "attach") {
          attached.push({ change: each.change, handle: subject.attach(each.change) });
        } else if (each.do === "detach") {
          const [gone] = attached.splice(each.which % Math.max(1, attached.length), 1);
          gone?.handle.dispose();
        } else if (each.do === "swap") {
          swaps[each.layer] = each.swap;
          subject.swap(each.layer, each.swap);
        } else {
          const ids = Array.from({ length: 1 + (each.seed % 6) }, (_, i) => (each.seed * 31 + 7 * i) % 290);
          const fresh = new Subject(await loadModel(directory));
          for (const { change } of attached) fresh.attach(change);
          for (const [at, swap] of swaps.entries()) fresh.swap(at, swap);
          subject.seen.length = 0;
          const wanted = await generated(fresh.model, ids, 5, { capture: false });
          for (let i = 0; i < 2; i++) expectSame(await generated(model, ids, 5), wanted);
          expect(subject.seen).toEqual([...fresh.seen, ...fresh.seen]);
          expect(model.runtime.plans.size).toBeLessThanOrEqual(8);
          expect(model.runtime.interventions.size).toBe(attached.length);
        }
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

it("memory does not grow with the interventions that came and went", async () => {
  const subject = new Subject(await loadModel(directory));
  const { model } = subject;
  const round = async (seed: number) => {
    // Counters can be read after their end: their memory goes with them.
    for (const kind of ["edit", "hook", "watch"] as const) {
      const handle = subject.attach({
        kind,
        phase: undefined,
        layer: 0,
        site: seed % sites.length,
        spec: seed % specs.length,
      });
      if (seed % 3 === 0) subject.swap(1, (["same", "subclass", "host", "reader"] as const)[seed % 4]);
      await generated(model, [1, 2 + (seed % 50)], 4);
      handle.dispose();
    }
  };
  for (let seed = 0; seed < 20; seed++) await round(seed);
  const before = model.device.memory().bytesInUse;
  for (let seed = 0; seed < 100; seed++) await round(seed);
  // 100 edits: kept, their numbers alone would be 1.2 MB.
  expect(model.device.memory().bytesInUse - before).toBeLessThan(3e5);
  expect(model.runtime.plans.size).toBeLessThanOrEqual(8);
}, 60_000);
