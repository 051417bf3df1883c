import { describe, expect, it } from "vitest";
import { Module, tap } from "../../src/nn/index.js";
import { childrenOf, currentPath, withNames } from "../../src/nn/path.js";
import { isTapped, observed } from "../../src/nn/tap.js";
import { Device } from "../../src/tensor/device.js";
import { Tensor } from "../../src/tensor/tensor.js";

const x = Tensor.from(Device.cpu(2), Float32Array.of(1, 2)).keep();

class Leaf extends Module {
  seen: string[] = [];
  protected override forward(value: Tensor): Tensor {
    this.seen.push(this.path);
    return tap("out", value);
  }
}

class Tree extends Module {
  [name: string]: unknown;
  protected override forward(value: Tensor): Tensor {
    for (const [, child] of childrenOf(this)) (child as unknown as Module).call(value);
    return value;
  }
}

const tree = (parts: Record<string, unknown>) => Object.assign(new Tree(), parts);

describe("names of places", () => {
  it("follow properties and lists, whatever else a module has", () => {
    const [a, b, c] = [new Leaf(), new Leaf(), new Leaf()];
    const root = tree({ first: a, list: [b, 5, null], inner: tree({ deep: c }), number: 3, nothing: null });
    withNames(root, () => root.call(x));
    expect([a, b, c].map((leaf) => leaf.seen)).toEqual([["first"], ["list.0"], ["inner.deep"]]);
    expect(currentPath()).toBe("");
  });

  it("a module in two places has each name in the order of the calls, also within one parent", () => {
    const leaf = new Leaf();
    const root = tree({ a: leaf, b: tree({ x: leaf, y: leaf }), c: leaf });
    withNames(root, () => root.call(x));
    withNames(root, () => root.call(x));
    expect(leaf.seen).toEqual(["a", "b.x", "b.y", "c", "a", "b.x", "b.y", "c"]);
  });

  it("a place that is entered again begins its names again", () => {
    const leaf = new Leaf();
    class OnlyFirst extends Module {
      x = leaf;
      y = leaf;
      protected override forward(value: Tensor): Tensor {
        return this.x.call(value);
      }
    }
    class Twice extends Module {
      part = new OnlyFirst();
      protected override forward(value: Tensor): Tensor {
        return this.part.call(this.part.call(value));
      }
    }
    const root = new Twice();
    withNames(root, () => root.call(x));
    expect(leaf.seen).toEqual(["part.x", "part.x"]);
  });

  it("a module that refers back to its parent is not followed in a circle", () => {
    const root = tree({ leaf: new Leaf() });
    const child = Object.assign(new Leaf(), { parent: root });
    root.child = child;
    withNames(root, () => root.call(x));
    expect(child.seen).toEqual(["child"]);
  });

  it("are restored after an error", () => {
    class Failing extends Module {
      protected override forward(): Tensor {
        throw new Error("on purpose");
      }
    }
    const root = tree({ bad: new Failing() });
    expect(() => withNames(root, () => root.call(x))).toThrow("on purpose");
    expect(currentPath()).toBe("");
  });

  it("outside of a pass a module runs without a name", () => {
    const leaf = new Leaf();
    leaf.call(x);
    expect(leaf.seen).toEqual([""]);
  });
});

describe("taps", () => {
  it("only what is wanted is seen, under the name of the site", () => {
    const root = tree({ selfAttn: new Leaf(), mlp: new Leaf(), embedTokens: new Leaf() });
    const seen: string[] = [];
    const observer = {
      wants: (site: string) => site !== "mlp.out",
      changes: () => false,
      visit: (site: string, value: Tensor) => {
        seen.push(`${site} ${value.shape}`);
        return value;
      },
    };
    withNames(root, () => observed(observer, () => root.call(x)));
    expect(seen).toEqual(["attn.out 2", "embed.out 2"]);
    expect(isTapped("out")).toBe(false);
  });

  it("nobody sees anything after an error in a pass", () => {
    const seen: string[] = [];
    const observer = {
      wants: () => true,
      changes: () => false,
      visit: (site: string, value: Tensor) => {
        seen.push(site);
        return value;
      },
    };
    expect(() =>
      observed(observer, () => {
        throw new Error("on purpose");
      }),
    ).toThrow();
    tap("out", x);
    expect(seen).toEqual([]);
  });
});
