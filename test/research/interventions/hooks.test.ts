import { beforeEach, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../../src/language_model.js";
import type { At } from "../../../src/nn/index.js";
import { allSites, type Site } from "../../../src/runtime/sites.js";
import { failureOf } from "../../support/codes.js";
import { expectAlike, expectSame, generated, onBothModels } from "./support.js";

onBothModels("hooks", ({ load, prompt }) => {
  let model: LanguageModel;
  beforeEach(async () => {
    model = await load();
  });

  it("each fires once a token at each site, the recording pass included, in the order of the pass", async () => {
    const sites = allSites(model.config);
    const calls: [string, number][] = [];
    const ats: At[] = [];
    // Set in the opposite order: the order of the calls is that of the pass.
    for (const site of [...sites].reverse()) {
      model.hook(site, (_, at) => {
        calls.push([at.site, at.step]);
        ats.push(at);
      });
    }
    const wanted = await generated(await load(), prompt, 5);
    for (let i = 0; i < 2; i++) {
      calls.length = 0;
      ats.length = 0;
      expectAlike(await generated(model, prompt, 5), wanted);
      expect(calls).toEqual([0, 1, 2, 3, 4].flatMap((step) => sites.map((site) => [site, step])));
    }
    for (const at of ats) {
      expect(at.phase).toBe(at.step === 0 ? "prefill" : "decode");
      const last = prompt.length + at.step - 1;
      const all = Array.from({ length: prompt.length }, (_, position) => position);
      // Only the last position of a prompt has logits.
      expect(at.positions).toEqual(at.step === 0 && at.site !== "logits" ? all : [last]);
      expect(at.layer).toBe(/^layers/.test(at.site) ? Number(at.site.split(".")[1]) : undefined);
    }
    expect(model.plan().breaks.map(({ label }) => label)).toEqual(sites.map((site) => `${site}: hook`));
  });

  it("two at one site run in the order in which they were set, each on what the one before made", async () => {
    const seen: number[] = [];
    model.hook("layers.0.out", (x) => x.data.map(() => 3));
    model.hook("layers.0.out", (x) => {
      seen.push(x.data[0]);
      x.data.fill(5);
    });
    model.watch("layers.1.in", (x) => seen.push(x.data[0]));
    await generated(model, prompt, 3);
    expect(seen).toEqual([3, 5, 3, 5, 3, 5]);
  });

  it.each<Site>(["layers.1.mlp.act", "layers.0.attn.q", "logits"])(
    "one that throws at %s rejects with the site's name, and the next call works",
    async (site) => {
      const wanted = await generated(model, prompt, 8);
      const before = model.device.memory().bytesInUse;
      for (const [fails, phase] of [
        [0, "prefill"],
        [1, "decode"],
        [3, "decode"],
      ] as const) {
        const cause = new Error("on purpose");
        const watch = model.watch("layers.*.out", () => {});
        const hook = model.hook(site, (_, at) => {
          if (at.step === fails) throw cause;
        });
        const error = await generated(model, prompt, 8).catch((thrown) => thrown);
        expect(error).toMatchObject({ code: "HOOK_FAILED", cause });
        expect(error.message).toContain(`the hook at ${site} threw: on purpose`);
        expect(phase).toBe(fails === 0 ? "prefill" : "decode");
        hook.dispose();
        watch.dispose();
        expectSame(await generated(model, prompt, 8), wanted);
      }
      model.runtime.plans.clear();
      await generated(model, prompt, 8);
      expect(model.device.memory().bytesInUse).toBeLessThanOrEqual(before);
    },
  );

  it("one that throws now and then fails those calls only, from the same plan", async () => {
    let fail = false;
    using _ = model.hook("layers.0.mid", (_, { step }) => {
      if (fail && step === 2) throw new Error("now");
    });
    const wanted = await generated(model, prompt, 8);
    using sequence = await model.prefill(prompt);
    for (let i = 0; i < 3; i++) {
      fail = true;
      expect(await failureOf(generated(model, prompt, 8))).toBe(
        "HOOK_FAILED: the hook at layers.0.mid threw: now",
      );
      fail = false;
      expectSame(await generated(model, prompt, 8), wanted);
    }
    expect(sequence.length).toBe(prompt.length);
    expect(model.runtime.plans.size).toBe(1);
  });

  describe("what they may give back", () => {
    it.each<[string, () => unknown]>([
      ["an array that is too short", () => new Float32Array(3)],
      ["another type of array", () => new Float64Array(256)],
      ["a number", () => 5],
      ["null", () => null],
      ["a promise", () => Promise.resolve()],
      ["a promise that rejects", () => Promise.reject(new Error("late"))],
    ])("%s is an error with the site and what was expected", async (_, run) => {
      for (const phase of ["prefill", "decode"] as const) {
        using __ = model.hook("layers.1.mid", run as never, { phase });
        const text = await failureOf(generated(model, prompt, 4));
        const rows = phase === "prefill" ? prompt.length : 1;
        expect(text).toContain("HOOK_RESULT_INVALID: the hook at layers.1.mid");
        const { hiddenSize } = model.config;
        expect(text).toContain(`a Float32Array of ${hiddenSize * rows} numbers [${rows}, ${hiddenSize}]`);
      }
      await generated(model, prompt, 4);
    });

    it("an array of the right length", async () => {
      const wanted = await generated(model, prompt, 4);
      using _ = model.hook("layers.1.mid", (x) => Float32Array.from(x.data));
      expectSame(await generated(model, prompt, 4), wanted);
    });
  });
});
