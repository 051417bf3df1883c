import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import type { Persimmon } from "../../src/model/persimmon.js";
import { Module } from "../../src/nn/module.js";
import { randomModel } from "../../src/random_model.js";
import { fingerprint, sameFingerprint } from "../../src/runtime/fingerprint.js";

const loaded = randomModel({ hidden: 64, layers: 3, heads: 1, ffn: 64, vocab: 300 }, { threads: 1 });

/** What people put into a model: settings, a list, parts. */
class Own extends Module {
  constructor(
    public setting: unknown,
    public list: unknown[] = [],
  ) {
    super();
  }

  override forward(x: never): never {
    return x;
  }
}

let model: Persimmon;
beforeEach(() => {
  // Another object with the same parts, whose parts may be changed.
  model = Object.assign(Object.create(Object.getPrototypeOf(loaded.runtime.model)), loaded.runtime.model);
  Object.assign(model, { last: "of its own properties" });
  model.layers = [new Own(1), new Own(2, [new Own(3), 4]), new Own("a")] as never;
});

const layer = (index: number) => model.layers[index] as unknown as Own;

describe("the fingerprint of a model", () => {
  it("is the same object while nothing changes", () => {
    const first = fingerprint(model);
    expect(fingerprint(model)).toBe(first);
    layer(0).setting = 1;
    layer(1).list[1] = 4;
    expect(fingerprint(model)).toBe(first);
  });

  it.each<[string, () => unknown]>([
    ["a setting of another value", () => Object.assign(layer(0), { setting: 5 })],
    ["a setting of the last module", () => Object.assign(layer(2), { setting: "b" })],
    ["a setting that is gone", () => delete (layer(2) as Partial<Own>).list],
    ["a setting more", () => Object.assign(layer(2), { more: undefined })],
    ["zero instead of minus zero", () => Object.assign(layer(0), { setting: -0 })],
    ["another module of the same settings", () => layer(1).list.splice(0, 1, new Own(3))],
    ["a setting of a module in a list", () => Object.assign(layer(1).list[0] as Own, { setting: 7 })],
    ["a list that is longer", () => layer(1).list.push(undefined)],
    ["a list that is shorter", () => layer(1).list.pop()],
    ["a list with a hole", () => delete layer(1).list[1]],
    ["the last setting of the model gone", () => delete (model as { last?: unknown }).last],
    ["a setting more behind it", () => Object.assign(model, { more: undefined })],
    ["a layer less", () => model.layers.pop()],
    ["two layers in another order", () => model.layers.reverse()],
    ["a layer twice", () => model.layers.splice(2, 1, model.layers[0])],
    ["a module that holds itself", () => Object.assign(layer(2), { setting: layer(2) })],
    ["a module that holds an earlier one", () => Object.assign(layer(2), { setting: layer(1) })],
  ])("changes with %s", (_, change) => {
    layer(0).setting = 0;
    const before = fingerprint(model);
    change();
    const after = fingerprint(model);
    expect(sameFingerprint(before, after)).toBe(false);
    expect(fingerprint(model)).toBe(after);
  });

  it("of modules that hold themselves, or are there twice, changes with what is in them", () => {
    layer(0).setting = layer(0);
    layer(2).list = [layer(1), layer(0)];
    const first = fingerprint(model);
    expect(fingerprint(model)).toBe(first);
    layer(1).setting = 9;
    const second = fingerprint(model);
    expect(sameFingerprint(first, second)).toBe(false);
    layer(2).list = [layer(1), layer(0), 1];
    expect(sameFingerprint(second, fingerprint(model))).toBe(false);
  });

  it("is that of the same state again after changes there and back", () => {
    // Modules and plain values that any place may hold.
    const values = [1, 2, Number.NaN, "a", undefined, new Own(1), new Own(2)];
    const change = fc.record({ at: fc.nat(2), place: fc.nat(2), value: fc.nat(values.length - 1) });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const states = new Map<string, readonly unknown[]>();
        const state = [0, 1, 2].map((at) => [values[0], ...[1, 2].map((place) => values[place + at])]);
        for (const { at, place, value } of [{ at: 0, place: 0, value: 0 }, ...changes]) {
          state[at][place] = values[value];
          for (const [index, [setting, ...list]] of state.entries()) {
            Object.assign(layer(index), { setting, list });
          }
          const key = state
            .flat()
            .map((each) => values.indexOf(each))
            .join();
          const found = fingerprint(model);
          for (const [other, known] of states) expect(sameFingerprint(known, found)).toBe(other === key);
          states.set(key, found);
        }
      }),
    );
  });

  it("is not taken of a model with a part that is no module", () => {
    fingerprint(model);
    model.layers[1] = 5 as never;
    expect(() => fingerprint(model)).toThrow("layers.1 must be a Module, got number");
    expect(() => fingerprint(model)).toThrow("layers.1 must be a Module, got number");
  });
});
