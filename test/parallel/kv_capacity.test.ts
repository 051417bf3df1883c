import { expect, it, vi } from "vitest";
import { loadModel } from "../../src/load_model.js";
import { KvCache } from "../../src/runtime/kv_cache.js";
import { Device } from "../../src/tensor/device.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

it("the caches of a split model take half of what is free on the rank with the least", async () => {
  const free = new WeakMap<Device, number>();
  // Two ranks that look like GPUs, the second with less. A position takes 2 layers · 2 (keys, values) · 1 head · 16 · 4 B = 256 B on each.
  const sizes = [1e6, 0.5e6];
  vi.spyOn(Device.prototype, "gpu", "get").mockImplementation(function (this: Device) {
    const freeBytes = free.get(this) ?? sizes.shift()!;
    free.set(this, freeBytes);
    return { freeBytes } as NonNullable<Device["gpu"]>;
  });
  const copied = vi.spyOn(KvCache.prototype, "copyContent");
  const model = await loadModel(await tinyCheckpoint(), { tensorParallel: 2, threads: 2 });
  expect(sizes).toEqual([]);
  // 0.5e6 / 2 / 256 = 976 positions, of the 2048 of four contexts.
  expect(model.kv.pageCount).toBe(Math.ceil(976 / 32));
  model.kv.copyContent(0, 1);
  expect(copied.mock.contexts.map((cache) => (cache as KvCache).pageCount)).toEqual([31, 31]);
  vi.restoreAllMocks();
});
