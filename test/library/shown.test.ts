import { inspect } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { Device, display, type LanguageModel, loadModel, nn, Tensor } from "../../src/index.js";

type Bundle = Record<string, string>;

const shown = (value: unknown) => (value as Record<symbol, () => Bundle>)[Symbol.for("Jupyter.display")]();

describe("what a notebook and Node show of our objects", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel();
  });

  it("a part of a model is a tree of its modules with shapes", () => {
    const mlp = shown(model.layers[1].mlp);
    expect(mlp["text/html"]).toContain("<code>denseHTo4h</code>");
    expect(mlp["text/plain"]).toContain("weight [1024, 256] bfloat16");
    expect(shown(model.layers[0])["text/plain"]).toMatch(/^DecoderLayer .*parameters/);
  });

  it("a module that a user writes is a tree as well", () => {
    class Doubled extends nn.Module {
      inner = model.layers[0].mlp;
      forward(x: Tensor): Tensor {
        return this.inner.call(x);
      }
    }
    expect(shown(new Doubled())["text/plain"]).toMatch(/^Doubled .*\n {2}inner/);
  });

  it("a tensor says its shape and type wherever it stands, and whether it is released", () => {
    const tensor = Tensor.from(model.device, new Float32Array(6), [2, 3]);
    expect(inspect({ tensor })).toBe("{ tensor: Tensor [2, 3] float32 }");
    tensor.release();
    expect(inspect(tensor)).toBe("Tensor [2, 3] float32, released");
  });

  it("a tokenizer, a device and a KV cache are one line, not their tables", () => {
    expect(inspect(model.tokenizer)).toBe("Tokenizer of 4096 pieces, bosId 4, endOfTextId 4");
    expect(inspect(Device.cpu(1))).toBe("Device cpu, 1 thread");
    expect(inspect(Device.cpu(1, "medium"))).toBe("Device cpu, 1 thread, medium precision");
    expect(inspect(model.kv)).toMatch(
      /^KvCache, \d+ of 256 pages in use, 32 positions each, 12288 bytes a position in float32$/,
    );
  });

  it("a stream of tokens is printed without being read", async () => {
    const stream = model.generate("Once upon", { maxNewTokens: 3 });
    await stream.done;
    expect(inspect(stream)).toMatch(/^TokenStream, ended, 3 tokens to read/);
    let count = 0;
    for await (const _ of stream) count++;
    expect(count).toBe(3);
  });

  it("a progress bar is its line", () => {
    using bar = display.progress({ total: 4, label: "Work" });
    bar.update(2);
    expect(inspect(bar)).toMatch(/^Work \[█{12}░{12}\] 2 of 4/);
  });
});
