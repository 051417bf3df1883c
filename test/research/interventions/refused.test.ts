import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import { HostModule, Module } from "../../../src/nn/index.js";
import { edits } from "../../../src/research/edits.js";
import type { Site } from "../../../src/runtime/sites.js";
import * as ops from "../../../src/tensor/ops/index.js";
import type { Tensor } from "../../../src/tensor/tensor.js";
import { codeOf, failureOf } from "../../support/codes.js";
import { expectSame, generated, type Made, onBothModels } from "./support.js";

onBothModels("what is refused", ({ load, prompt }) => {
  let model: LanguageModel;
  let plain: Made;
  beforeAll(async () => {
    plain = await generated(await load(), prompt, 8);
  });
  beforeEach(async () => {
    model = await load();
  });
  const nothing = () => {};

  describe("sites", () => {
    it.each([
      ["layers.0.mlp.akt", "layers.0.mlp.act"],
      ["layers.1.attn.qrot", "layers.1.attn.qRot"],
      ["embed", "embed.out"],
      ["final_norm.out", "finalNorm.out"],
      ["layers.*.attn.patern", "layers.0.attn.pattern"],
      ["logit", "logits"],
    ])("%s: the nearest names are given, among them %s", (wrong, near) => {
      const site = wrong as Site;
      for (const act of [
        () => model.edit(site, edits.zero()),
        () => model.hook(site, nothing),
        () => model.watch(site, nothing),
        () => model.countFiring(site),
      ]) {
        expect(codeOf(act)).toBe("SITE_UNKNOWN");
        expect(act).toThrow(near);
      }
      expect(model.runtime.interventions.size).toBe(0);
    });
  });

  describe("while a generation runs", () => {
    it("edits, hooks, watches, counters and a second generation; all of them work after it", async () => {
      const stream = model.generate(prompt, { maxNewTokens: 8, stopAtEos: false });
      const acts = [
        () => model.edit("layers.0.out", edits.zero()),
        () => model.hook("layers.0.out", nothing),
        () => model.watch("layers.0.out", nothing),
        () => model.countFiring(),
      ];
      for (const act of acts) expect(codeOf(act)).toBe("MODEL_BUSY");
      let tokens = 0;
      for await (const _ of stream) {
        if (tokens++ === 2) for (const act of acts) expect(codeOf(act)).toBe("MODEL_BUSY");
        if (tokens === 3) {
          expect(await failureOf(model.generate(prompt).done)).toMatch(/^MODEL_BUSY/);
          expect(await failureOf(model.generateBatch([prompt]))).toMatch(/^MODEL_BUSY/);
        }
      }
      expect((await stream.done).ids).toEqual(plain.ids);
      for (const act of acts) act().dispose();
      expectSame(await generated(model, prompt, 8), plain);
    });

    it("after cancel a new one may begin at once, and an edit may be set", async () => {
      const stream = model.generate(prompt, { maxNewTokens: 500, stopAtEos: false });
      for await (const _ of stream) break;
      const edit = model.edit("layers.0.mlp.act", edits.zero({ phase: "decode" }));
      const next = generated(model, prompt, 8);
      expect((await stream.done).finish).toBe("interrupted");
      expect((await next).ids).not.toEqual(plain.ids);
      edit.dispose();
      expectSame(await generated(model, prompt, 8), plain);
    });

    it("two that begin at once: one makes its text, the other is refused", async () => {
      const first = model.generate(prompt, { maxNewTokens: 8, stopAtEos: false });
      const second = model.generate(prompt, { maxNewTokens: 8, stopAtEos: false });
      expect(await failureOf(second.done)).toMatch(/^MODEL_BUSY: a second generation cannot begin/);
      expect((await first.done).ids).toEqual(plain.ids);
    });

    it("logits, scores and cached runs take their turns with it", async () => {
      const logits = await model.logits(prompt);
      const stream = model.generate(prompt, { maxNewTokens: 8, stopAtEos: false });
      const others = await Promise.all([
        model.logits(prompt),
        model.runWithCache(prompt, { names: ["layers.0.out"] }).then((result) => result.logits),
      ]);
      for (const { data } of others) expect(data).toEqual(logits.data);
      expect((await stream.done).ids).toEqual(plain.ids);
    });

    it.each([true, false])(
      "disposing is allowed, also inside of the pass itself (capture: %s)",
      async (capture) => {
        const before = await generated(model, prompt, 1);
        const edit = model.edit("layers.1.out", edits.scale(0.5), { phase: "decode" });
        const hook = model.hook("layers.0.out", (_, { step }) => {
          if (step !== 3) return;
          edit.dispose();
          hook.dispose();
          edit.dispose();
        });
        // The edit's place comes after the hook's: this pass still has it.
        const made = await generated(model, prompt, 8, { capture });
        expect(made.ids[0]).toBe(before.ids[0]);
        expect(made.ids).toHaveLength(8);
        expect(model.runtime.interventions.size).toBe(0);
        expectSame(await generated(model, prompt, 8), plain);
      },
    );
  });

  describe("numbers that are not finite, with model.checkFinite", () => {
    it.each(["prefill", "decode"] as const)(
      "in %s the error names the site; it is gone with its cause",
      async (phase) => {
        model.checkFinite = true;
        const edit = model.edit("layers.1.mid", edits.set(Number.MAX_VALUE), { phase });
        const text = await failureOf(generated(model, prompt, 8));
        expect(text).toMatch(/^ACTIVATION_NOT_FINITE: .* at layers\.1\.mid /);
        // From the same plan again, which must not remember.
        edit.scale = 0.5;
        const wanted = await generated(model, prompt, 8, { capture: false });
        expectSame(await generated(model, prompt, 8), wanted);
        edit.scale = Number.MAX_VALUE;
        for (const capture of [true, false]) {
          expect(await failureOf(generated(model, prompt, 8, { capture }))).toContain("layers.1.mid");
        }
        edit.scale = 0.5;
        expectSame(await generated(model, prompt, 8), wanted);
        edit.dispose();
        using _ = model.hook("layers.0.mlp.act", (x) => x.data.fill(Number.NaN), { phase });
        expect(await failureOf(generated(model, prompt, 8))).toContain("layers.0.mlp.act");
        model.checkFinite = false;
        // Then they flow on.
        expect((await generated(model, prompt, 8)).ids).toHaveLength(8);
      },
    );

    it("the first site of the pass is the one that is named", async () => {
      model.checkFinite = true;
      using _a = model.edit("layers.1.out", edits.scale(1));
      using _b = model.edit("layers.0.mid", edits.set(Number.MAX_VALUE, { units: [3] } as never));
      expect(await failureOf(generated(model, prompt, 8))).toContain("layers.0.mid");
    });
  });

  describe("modules that do not fit", () => {
    it.each<[string, (at: LanguageModel) => void, string]>([
      [
        "a number",
        (at) => Object.assign(at.layers[0], { mlp: 5 }),
        "layers.0.mlp must be a Module, got number",
      ],
      [
        "null",
        (at) => Object.assign(at.layers[1].selfAttn, { dense: null }),
        "layers.1.selfAttn.dense must be a Module, got null",
      ],
      [
        "a function",
        (at) => Object.assign(at, { lmHead: () => {} }),
        "lmHead must be a Module, got function",
      ],
      [
        "an object",
        (at) => Object.assign(at.layers[0].mlp, { denseHTo4h: {} }),
        "layers.0.mlp.denseHTo4h must be a Module, got Object",
      ],
      [
        "a layer that is none",
        (at) => Object.assign(at.layers, { 1: "x" }),
        "layers.1 must be a Module, got string",
      ],
      [
        "no layers",
        (at) => Object.assign(at, { layers: undefined }),
        "layers must be a list of Modules, got undefined",
      ],
    ])("%s names the place, in prefill and in decoding", async (_, assign, message) => {
      expect(
        await failureOf(
          (async () => {
            assign(model);
            await model.logits(prompt);
          })(),
        ),
      ).toContain(`MODULE_INVALID: ${message}`);
      const other = await load();
      using sequence = await other.prefill(prompt);
      assign(other);
      expect(
        await failureOf(other.runtime.forward([{ sequence, ids: [5], logits: "last" }], { step: 1 })),
      ).toContain(`MODULE_INVALID: ${message}`);
      expect(sequence.length).toBe(prompt.length);
    });

    class Narrow extends Module {
      protected override forward(x: Tensor): Tensor {
        const [rows, width] = x.shape;
        return x
          .reshape([rows * width])
          .rows(0, rows * 10)
          .reshape([rows, 10]);
      }
    }
    class NarrowHost extends HostModule {
      protected override outWidth(): number {
        return 10;
      }
      protected override run(): void {}
    }
    class Several extends Module {
      protected override forward(x: Tensor): Tensor {
        return [x] as never;
      }
    }
    it.each<[string, () => Module, (at: LanguageModel, module: Module) => void, RegExp]>([
      [
        "an MLP",
        () => new Narrow(),
        (at, module) => Object.assign(at.layers[1], { mlp: module }),
        /256\].*layers\.1\.mlp \(Narrow\) ran before and gave \[1, 10\]/,
      ],
      [
        "an MLP of a class without a name",
        () => new (class extends Narrow {})(),
        (at, module) => Object.assign(at.layers[1], { mlp: module }),
        /layers\.1\.mlp \(class without a name\) ran before and gave \[1, 10\]/,
      ],
      [
        "an MLP in plain TypeScript",
        () => new NarrowHost(),
        (at, module) => Object.assign(at.layers[0], { mlp: module }),
        /256\].*layers\.0\.mlp \(NarrowHost\) ran before and gave \[1, 10\]/,
      ],
      [
        "a norm",
        () => new Narrow(),
        (at, module) => Object.assign(at.layers[0], { inputLayernorm: module }),
        /256\].*layers\.0\.inputLayernorm \(Narrow\) ran before and gave \[1, 10\]/,
      ],
      [
        "attention",
        () => new Narrow(),
        (at, module) => Object.assign(at.layers[1], { selfAttn: module }),
        /256\].*layers\.1\.selfAttn \(Narrow\) ran before and gave \[1, 10\]/,
      ],
      [
        "the last norm",
        () => new Narrow(),
        (at, module) => Object.assign(at, { finalLayernorm: module }),
        /256\].*finalLayernorm \(Narrow\) ran before and gave \[1, 10\]/,
      ],
      [
        "something else",
        () => new Several(),
        (at, module) => Object.assign(at.layers[1], { mlp: module }),
        /layers\.1\.mlp \(Several\) ran before and gave Array/,
      ],
    ])("%s of another shape is named with both shapes", async (_, make, assign, wanted) => {
      assign(model, make());
      expect(await failureOf(model.logits([7]))).toMatch(wanted);
      const other = await load();
      using sequence = await other.prefill(prompt);
      assign(other, make());
      const forward = other.runtime.forward([{ sequence, ids: [5], logits: "last" }], { step: 1 });
      expect(await failureOf(forward)).toMatch(wanted);
    });

    it("an error in an op inside of a module names the module's place", async () => {
      class Broken extends Module {
        protected override forward(x: Tensor): Tensor {
          return ops.add(x, x.reshape([x.size]));
        }
      }
      model.layers[1].mlp = new Broken();
      expect(await failureOf(model.logits(prompt))).toMatch(
        /^SHAPE_MISMATCH: in layers\.1\.mlp \(Broken\): ops\.add/,
      );
    });

    it("run() that returns a promise, or writes nothing that fits", async () => {
      class Later extends HostModule {
        protected override async run(): Promise<void> {
          throw new Error("late");
        }
      }
      model.layers[0].mlp = new Later() as never;
      expect(await failureOf(model.logits(prompt))).toMatch(/^HOST_ASYNC: layers\.0\.mlp/);
    });
  });

  it("a watcher that returns a promise", async () => {
    using _ = model.watch("layers.0.out", (async () => {
      throw new Error("late");
    }) as never);
    expect(await failureOf(model.logits(prompt))).toMatch(/^WATCH_FAILED: the watcher of layers\.0\.out/);
  });

  it("handles may be disposed of twice", async () => {
    const kept = model.watch("layers.0.out", nothing);
    for (const handle of [model.edit("layers.0.out", edits.zero()), model.hook("layers.0.out", nothing)]) {
      handle.dispose();
      handle.dispose();
      handle[Symbol.dispose]();
    }
    expect(model.runtime.interventions.size).toBe(1);
    kept.dispose();
    expectSame(await generated(model, prompt, 8), plain);
  });

  it("arguments of edits", () => {
    const edit = model.edit("layers.0.out", edits.add(new Float32Array(256)));
    const acts: [string, () => unknown][] = [
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.add(new Float32Array(255)))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.zero({ units: [256] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.zero({ units: [-1] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.zero({ units: 3 as never }))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.scale(2, { units: [7, 3, 7] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.attn.z", edits.zero({ heads: [1, 1] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.zero({ heads: [0] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.attn.z", edits.zero({ heads: [4] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.attn.z", edits.zero({ heads: [0], units: [0] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.zero({ positions: [0.5] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.zero({ positions: [100_000] }))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.zero({ positions: { from: 5, to: 2 } }))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.project(new Float32Array(256)))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", edits.add(undefined as never))],
      ["EDIT_INVALID", () => model.edit("layers.0.out", "zero" as never)],
      ["EDIT_INVALID", () => model.edit("layers.0.attn.pattern", edits.add([1]))],
      ["EDIT_INVALID", () => model.edit("layers.0.attn.pattern", edits.noise({ deviation: 1 }))],
      ["EDIT_INVALID", () => edits.scale(Number.NaN)],
      ["EDIT_INVALID", () => edits.clamp({ min: 1, max: 0 })],
      ["EDIT_INVALID", () => edits.noise({ deviation: 1, seed: -1 })],
      ["PHASE_INVALID", () => model.edit("layers.0.out", edits.zero({ phase: "later" as never }))],
      ["PHASE_INVALID", () => model.hook("layers.0.out", nothing, { phase: "later" as never })],
      ["ARGUMENT_INVALID", () => model.hook("layers.0.out", "f" as never)],
      ["ARGUMENT_INVALID", () => model.watch("layers.0.out", null as never)],
      ["ARGUMENT_INVALID", () => model.countFiring("layers.0.attn.pattern")],
      [
        "EDIT_INVALID",
        () => {
          edit.scale = Number.NaN;
        },
      ],
      [
        "EDIT_DISPOSED",
        () => {
          edit.dispose();
          edit.scale = 2;
        },
      ],
    ];
    for (const [code, act] of acts) expect(codeOf(act), String(act)).toBe(code);
    expect(model.runtime.interventions.size).toBe(0);
  });
});
