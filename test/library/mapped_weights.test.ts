import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadModel, ops, Tensor } from "../../src/index.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

it("weights that lie in a mapped file can be written to: the model changes, and the file does not", async () => {
  const folder = await tinyCheckpoint();
  const file = () => readFileSync(join(folder, "model.safetensors"));
  const before = file();
  const [changed, other] = [await loadModel(folder), await loadModel(folder)];
  const plain = (await other.logits([5, 6])).data;
  const { weight } = changed.lmHead as unknown as { weight: Tensor };
  weight.write((await weight.data()).map((value) => 2 * value));
  expect((await changed.logits([5, 6])).data).toEqual(plain.map((value) => 2 * value));
  expect((await other.logits([5, 6])).data).toEqual(plain);

  // Whoever gives weights for keys spoils them, but not the process.
  const device = changed.device;
  const pages = weight.rows(0, 16).reshape([4, 2, 4, 16]);
  const k = Tensor.from(device, new Float32Array(32), [1, 2, 16]);
  ops.cacheAppend(k, k, {
    keys: pages,
    values: pages,
    pageTable: Tensor.from(device, Int32Array.of(0), [1, 1]),
    positions: Tensor.from(device, Int32Array.of(0)),
    sequences: Tensor.from(device, Int32Array.of(0)),
    longest: 1,
  });
  expect((await weight.data())[0]).toBe(0);
  expect(file().equals(before)).toBe(true);
});
