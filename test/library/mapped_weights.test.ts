import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { loadModel, ops, Tensor } from "../../src/index.js";
import { packageRoot } from "../../src/package_root.js";
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

/** Kilobytes of the mappings of a file that are in the memory of this process. */
function residentKilobytes(path: string): number {
  const mappings = readFileSync("/proc/self/smaps", "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const own = mappings.filter((mapping) => mapping.split("\n", 1)[0].endsWith(path));
  return own.reduce((sum, mapping) => sum + Number(/^Rss: +(\d+)/m.exec(mapping)?.[1] ?? 0), 0);
}

it.skipIf(process.platform !== "linux")(
  "a weight that is copied leaves no pages of its file in memory",
  async () => {
    const folder = join(packageRoot, "models", "demo");
    const file = join(folder, "model.safetensors");
    const kilobytes = statSync(file).size / 1024;
    const before = residentKilobytes(file);
    const rounded = await loadModel(folder, { dtype: "int8" });
    expect(rounded.dtype).toBe("int8");
    expect(residentKilobytes(file) - before).toBeLessThan(0.1 * kilobytes);
    const inPlace = await loadModel(folder);
    await inPlace.logits([5, 6]);
    expect(residentKilobytes(file) - before).toBeGreaterThan(0.5 * kilobytes);
  },
);
