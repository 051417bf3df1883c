import { describe, expect, it } from "vitest";
import { type Displayable, jupyterDisplay } from "../../src/display/mime.js";
import { display, loadModel, nn, ops, type Tensor } from "../../src/index.js";
import { expectedTensors } from "../../src/model/config.js";
import { sharedOrSkip } from "../support/shared.js";

sharedOrSkip("reference/head64", "the tree of modules", (directory) => {
  it("counts what the configuration says", async () => {
    const model = await loadModel(directory);
    const shapes = [...expectedTensors(model.config).values()];
    const parameters = shapes.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0);
    const { root } = display.moduleTree(model);
    expect(root.count).toBe(parameters);
    expect(root.bytes).toBe(model.weightBytes);
    expect(display.moduleTree(model.layers[0]).root.count * model.config.numHiddenLayers).toBeLessThan(
      parameters,
    );
  });

  it("shows equal layers once, as text and as HTML", async () => {
    const model = await loadModel(directory);
    const text = String(display.moduleTree(model));
    const last = model.config.numHiddenLayers - 1;
    expect(text.split("\n").filter((row) => row.includes("DecoderLayer"))).toHaveLength(1);
    expect(text).toContain(`layers.0-${last}`);
    const bundle = await (model as unknown as Displayable)[jupyterDisplay]();
    expect(bundle["text/html"]).toContain(`<code>layers.0-${last}</code>`);
    // A path says more about a machine than a notebook should.
    expect(JSON.stringify(bundle)).not.toContain(directory);
  });

  it("shows a swapped module by itself, with its class", async () => {
    class Doubled extends nn.Module {
      constructor(readonly inner: nn.Module) {
        super();
      }
      protected override forward(x: Tensor): Tensor {
        const y = this.inner.call(x);
        return ops.add(y, y);
      }
    }
    const model = await loadModel(directory);
    const before = display.moduleTree(model).root.count;
    model.layers[1].mlp = new Doubled(model.layers[1].mlp);
    const tree = display.moduleTree(model);
    expect(tree.root.count).toBe(before);
    expect(String(tree)).toMatch(/layers\.1 +DecoderLayer[\s\S]*mlp +Doubled[\s\S]*inner +MLP/);
  });

  it("counts a tensor that stands in two places once", async () => {
    const model = await loadModel(directory);
    const before = display.moduleTree(model).root.count;
    const head = model.lmHead as nn.Linear;
    head.weight = (model.embedTokens as nn.Embedding).weight;
    expect(display.moduleTree(model).root.count).toBe(before - head.weight.size);
  });
});

describe("moduleTree", () => {
  it("refuses what has no modules", () => {
    expect(() => display.moduleTree(3 as never)).toThrowError(
      expect.objectContaining({ code: "MODULE_INVALID" }),
    );
  });
});
