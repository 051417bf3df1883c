import { beforeAll, describe, expect, it } from "vitest";
import {
  type Activation,
  type Edit,
  type EditFilter,
  type EditSpec,
  edits,
  type LanguageModel,
  loadModel,
} from "../../../src/index.js";
import { codeOf } from "../../support/codes.js";

let model: LanguageModel;
let width: number;
beforeAll(async () => {
  model = await loadModel();
  width = model.config.hiddenSize;
});
const z = "layers.0.attn.z";
const out = "layers.0.out";
const row = (fill: number) => new Float32Array(width).fill(fill);

/** Fails unless the code and the message are these, and nothing is in force afterwards. */
function expectRefused(act: () => unknown, code: string, message: string): void {
  expect(codeOf(act)).toBe(code);
  expect(act).toThrow(message);
  expect(model.runtime.interventions.size).toBe(0);
}

describe("a mistyped filter never lets an edit act everywhere", () => {
  // As plain JavaScript writes them.
  const plain = edits as unknown as Record<string, (...args: unknown[]) => EditSpec>;

  it.each<[string, unknown[], string]>([
    ["zero", [{ head: [0] }], 'edits.zero has no option "head" (did you mean "heads"?)'],
    ["zero", [{ position: [0] }], 'edits.zero has no option "position" (did you mean "positions"?)'],
    ["zero", [{ scale: 2 }], 'edits.zero has no option "scale"; it has positions, heads, units, phase'],
    ["set", [1, { unit: [0] }], 'edits.set has no option "unit" (did you mean "units"?)'],
    ["scale", [2, { neurons: [0] }], 'edits.scale has no option "neurons"'],
    ["add", [[1], { strength: 4 }], 'edits.add has no option "strength"; it has scale, positions'],
    ["replace", [[1], { alpha: 4 }], 'edits.replace has no option "alpha"'],
    ["project", [[1], { head: 0 }], 'edits.project has no option "head"'],
    ["clamp", [{ maximum: 4 }], 'edits.clamp has no option "maximum" (did you mean "max"?)'],
    ["mean", [[1], { pos: [0] }], 'edits.mean has no option "pos" (did you mean "positions"?)'],
    ["noise", [{ deviation: 1, std: 2 }], 'edits.noise has no option "std"'],
  ])("edits.%s(...%j)", (name, args, message) => {
    expectRefused(() => plain[name](...args), "OPTION_UNKNOWN", message);
  });

  it.each<[string, unknown[], string]>([
    ["zero", [3], "got 3"],
    ["zero", [[0]], "got [0]"],
    ["zero", [null], "got null"],
    ["add", [[1], 4], "got 4"],
    ["replace", [[1], "2"], 'got "2"'],
    ["clamp", [], "got undefined"],
    ["noise", [], "got undefined"],
  ])("edits.%s(...%j) is no filter", (name, args, message) => {
    expectRefused(() => plain[name](...args), "OPTION_INVALID", message);
  });

  it("nor as the last argument of model.edit, of hooks, watches and counters", () => {
    const pos = { pos: [0] } as EditFilter;
    expectRefused(() => model.edit(z, edits.zero(), pos), "OPTION_UNKNOWN", 'did you mean "positions"?');
    expectRefused(() => model.edit(z, edits.zero(), [0] as never), "OPTION_INVALID", "got [0]");
    const handmade = { kind: "set", strength: 0, filter: { head: [0] } } as unknown as EditSpec;
    expectRefused(() => model.edit(z, handmade), "OPTION_UNKNOWN", 'no option "head"');
    const positions = { positions: [0] } as never;
    const only = "; it has phase";
    expectRefused(
      () => model.hook(z, () => {}, positions),
      "OPTION_UNKNOWN",
      `model.hook has no option "positions"${only}`,
    );
    expectRefused(
      () => model.watch(z, () => {}, positions),
      "OPTION_UNKNOWN",
      `model.watch has no option "positions"${only}`,
    );
    expectRefused(
      () => model.countFiring("layers.0.mlp.act", positions),
      "OPTION_UNKNOWN",
      `model.countFiring has no option "positions"${only}`,
    );
    expectRefused(() => model.hook(z, () => {}, null as never), "OPTION_INVALID", "got null");
  });

  it.each<[unknown, string, string]>([
    [3, "EDIT_INVALID", "positions must be a list such as [3], or a range { from, to }, got 3"],
    ["last", "EDIT_INVALID", 'got "last"'],
    [null, "EDIT_INVALID", "got null"],
    [{ start: 5, end: 2 }, "OPTION_UNKNOWN", 'the range of positions has no option "start"; it has from, to'],
    [{ from: 5, to: 2 }, "EDIT_INVALID", "positions from 5 to 2 are no range"],
    [{ from: "0" }, "EDIT_INVALID", 'positions from "0" to Infinity are no range'],
    [{ from: 0.5 }, "EDIT_INVALID", "positions from 0.5 to Infinity are no range"],
    [["0"], "EDIT_INVALID", 'got "0"'],
  ])("positions: %j", (positions, code, message) => {
    expectRefused(() => model.edit(out, edits.zero({ positions } as never)), code, message);
  });

  it("heads and units that are no lists are named as they are", () => {
    expectRefused(() => model.edit(z, edits.zero({ heads: 0 as never })), "EDIT_INVALID", "got 0");
    expectRefused(() => model.edit(out, edits.zero({ units: "1" as never })), "EDIT_INVALID", 'got "1"');
  });

  it("undefined in the last argument does not take the filter of the edit away", async () => {
    const site = "layers.0.attn.z";
    const { numAttentionHeads, headDim } = model.config;
    using _ = model.edit(site, edits.zero({ heads: [1] }), { heads: undefined, phase: "prefill" });
    const { cache } = await model.runWithCache([5], { names: [site] });
    const isZero = Array.from({ length: numAttentionHeads }, (_, head) =>
      cache
        .get(site)
        .data.subarray(head * headDim, (head + 1) * headDim)
        .every((value) => value === 0),
    );
    expect(isZero).toEqual(isZero.map((_, head) => head === 1));
  });

  it("positions in an Int32Array are those positions, and no others", async () => {
    const prompt = [1, 5, 9, 11];
    const at = async (positions: EditFilter["positions"]) => {
      using _ = model.edit(out, edits.zero({ positions }));
      const { cache } = await model.runWithCache(prompt, { names: [out] });
      const { data } = cache.get(out);
      return prompt.map((_, row) => data.subarray(row * width, (row + 1) * width).every((x) => x === 0));
    };
    expect(await at(Int32Array.of(1, 3) as never)).toEqual([false, true, false, true]);
    expect(await at([1, 3])).toEqual([false, true, false, true]);
  });
});

describe("numbers of edits are finite", () => {
  const spoiled = (value: number, index: number) => {
    const values = row(1);
    values[index] = value;
    return values;
  };

  it.each<[string, (values: Float32Array) => EditSpec]>([
    ["add", (values) => edits.add(values)],
    ["set", (values) => edits.set(values)],
    ["replace", (values) => edits.replace(values)],
    ["project", (values) => edits.project(values)],
  ])("a row of edits.%s: the index is named", (_, make) => {
    for (const [value, index] of [
      [Number.NaN, 7],
      [Number.POSITIVE_INFINITY, 0],
      [Number.NEGATIVE_INFINITY, width - 1],
    ]) {
      expectRefused(
        () => model.edit(out, make(spoiled(value, index))),
        "EDIT_INVALID",
        `the values of an edit at ${out} must be finite numbers (float32), got ${value} at index ${index}`,
      );
    }
  });

  it("also where a list has what float32 cannot hold, or what is no number", () => {
    const list = [...row(1)];
    list[3] = 1e39;
    expectRefused(() => model.edit(out, edits.add(list)), "EDIT_INVALID", "got 1e+39 at index 3");
    list[3] = "a" as never;
    expectRefused(() => model.edit(out, edits.add(list)), "EDIT_INVALID", 'got "a" at index 3');
  });

  it("also those of an activation, with and without its mean", () => {
    const data = new Float32Array(2 * width);
    data[width + 2] = Number.NaN;
    const activation: Activation = { data, shape: [2, width], positions: [0, 1] };
    for (const spec of [edits.replace(activation), edits.mean(activation)]) {
      expectRefused(() => model.edit(out, spec), "EDIT_INVALID", `got NaN at index ${width + 2}`);
    }
  });

  it("a direction of length 0 is still called that", () => {
    expectRefused(
      () => model.edit(out, edits.project(row(0))),
      "EDIT_INVALID",
      "the direction has no length",
    );
  });

  const setScale = (edit: Edit, scale: unknown) => () => {
    edit.scale = scale as number;
  };
  it("edit.scale as well, and it stays what it was", () => {
    using edit = model.edit(out, edits.scale(2));
    for (const [scale, shown] of [
      [Number.POSITIVE_INFINITY, "Infinity"],
      [Number.NaN, "NaN"],
      ["4", '"4"'],
    ]) {
      expect(codeOf(setScale(edit, scale))).toBe("EDIT_INVALID");
      expect(setScale(edit, scale)).toThrow(`edit.scale must be a finite number, got ${shown}`);
    }
    expect(edit.scale).toBe(2);
  });

  it("but for the lower limit of a clamp, which may be none and is not above the upper one", () => {
    using clamp = model.edit(out, edits.clamp({ min: -1, max: 4 }));
    clamp.scale = Number.NEGATIVE_INFINITY;
    clamp.scale = 4;
    for (const scale of [5, Number.POSITIVE_INFINITY])
      expect(codeOf(setScale(clamp, scale))).toBe("EDIT_INVALID");
    expect(clamp.scale).toBe(4);
  });

  it("a clamp needs a limit that is a number", () => {
    expectRefused(() => edits.clamp({}), "EDIT_INVALID", "edits.clamp needs min, max or both");
    expectRefused(() => edits.clamp({ min: "1" as never }), "EDIT_INVALID", 'got "1"');
    expectRefused(() => edits.clamp({ max: Number.NaN }), "EDIT_INVALID", "got NaN");
    expectRefused(
      () => edits.noise({} as never),
      "EDIT_INVALID",
      "edits.noise: deviation must be a number, got undefined",
    );
  });
});

describe("a site that is no name", () => {
  it.each<[unknown, string]>([
    [["layers.0.out"], 'got ["layers.0.out"]'],
    [undefined, "got undefined"],
    [5, "got 5"],
  ])("%o", (site, message) => {
    expectRefused(() => model.edit(site as never, edits.zero()), "SITE_UNKNOWN", message);
    expectRefused(() => model.hook(site as never, () => {}), "SITE_UNKNOWN", message);
    expectRefused(() => model.watch(site as never, () => {}), "SITE_UNKNOWN", message);
    // countFiring without a site counts at every MLP.
    if (site !== undefined) expectRefused(() => model.countFiring(site as never), "SITE_UNKNOWN", message);
  });
});
