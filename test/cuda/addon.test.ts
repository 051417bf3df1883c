import { execFileSync, spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { loadModel } from "../../src/load_model.js";
import { withCudaKernels } from "../support/other_addon.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const hasGpu = spawnSync("nvidia-smi", ["-L"]).status === 0;
const hasReadelf = spawnSync("readelf", ["--version"]).status === 0;
if (!hasReadelf)
  process.stderr.write("SKIPPED: what the addon needs and shows: readelf (binutils) is not on the PATH\n");
const readelf = (option: string) =>
  execFileSync("readelf", ["--wide", option, process.env.PERSIMMON_ADDON!], { encoding: "utf8" });

withCudaKernels("the addon with CUDA kernels", () => {
  it.skipIf(!hasReadelf)(
    "needs no library of CUDA's, whose driver it looks up when a GPU is asked for",
    () => {
      const needed = [...readelf("--dynamic").matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, name]) => name);
      expect(needed).toContain("libstdc++.so.6");
      expect(needed.filter((name) => /cuda|nv/.test(name))).toEqual([]);
    },
  );

  it.skipIf(!hasReadelf)("shows nothing of the CUDA runtime to other libraries", () => {
    const defined = readelf("--dyn-syms")
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , type, , , section]) => type === "FUNC" && section !== "UND")
      .map((cells) => cells[7]);
    expect(defined).toContain("napi_register_module_v1");
    expect(defined.filter((name) => /cuda|cuMem/.test(name))).toEqual([]);
  });

  it("computes on the CPU unless a GPU is asked for", async () => {
    const model = await loadModel(await tinyCheckpoint(), { device: "auto" });
    expect(model.device.kind).toBe("cpu");
    const { data } = await model.logits([1, 5, 9]);
    expect(data.every(Number.isFinite)).toBe(true);
    expect(data.some((logit) => logit !== data[0])).toBe(true);
  });

  it.skipIf(hasGpu)("says that there is no driver when a GPU is asked for", async () => {
    await expect(loadModel(await tinyCheckpoint(), { device: "cuda" })).rejects.toMatchObject({
      code: "DEVICE_UNAVAILABLE",
      message: 'this machine has no CUDA driver; use device: "cpu"',
    });
  });
});
