import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel } from "../../src/load_model.js";
import type { MemoryPlan } from "../../src/runtime/memory_check.js";
import { Device } from "../../src/tensor/device.js";
import { withExactProducts } from "../support/exact_products.js";
import { expectNear } from "../support/fixtures.js";
import { isGpuReal, onGpu } from "../support/other_addon.js";
import { repositoryRoot } from "../support/shared.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

/** In place of NVIDIA's, for emulated GPUs (test/native/cuda_emulator/cublaslt); built with the addon that emulates them. */
const emulated = join(repositoryRoot, "build", "Release", "libfake_cublaslt.so");

onGpu("products of many rows by cuBLASLt", () => {
  describe.skipIf(isGpuReal)("on an emulated GPU", () => {
    const folder = mkdtempSync(join(tmpdir(), "cublaslt-"));
    const log = join(folder, "products");
    /** Products since the last call: rows, inputs, outputs, and whether a graph captured them. */
    const products = () => {
      const lines = readFileSync(log, "utf8").trimEnd().split("\n");
      rmSync(log);
      return lines;
    };
    const promptOf = (length: number) => Array.from({ length }, (_, i) => (3 + 7 * i) % 300);
    let directory: string;
    beforeAll(async () => {
      process.env.PERSIMMON_CUBLASLT = emulated;
      process.env.PERSIMMON_FAKE_CUBLASLT_LOG = log;
      directory = await tinyCheckpoint();
    });
    afterAll(() => rmSync(folder, { recursive: true }));

    it("is what a GPU says of itself", () => {
      expect(Device.cuda().gpu!.cublasLt).toBe("13.1.2");
    });

    it.each([
      ["bfloat16", "highest", 80, 3],
      ["bfloat16", "medium", 80, 1],
      ["int8", "highest", 256, 3],
      ["int8", "medium", 256, 1],
    ] as const)(
      "has the logits of a CPU: %s, %s precision, %i rows in %i parts",
      async (dtype, matmulPrecision, rows, parts) => {
        const [there, here] = [
          await loadModel(directory, { dtype, matmulPrecision, device: "cuda" }),
          await loadModel(directory, { dtype }),
        ];
        withExactProducts(here);
        const prompt = promptOf(rows);
        const [found, expected] = [(await there.logits(prompt)).data, (await here.logits(prompt)).data];
        const largest = Math.max(...expected.map(Math.abs));
        expectNear("logits", found, expected, parts === 3 ? 5e-4 : largest * 2 ** -6);
        const { config } = there;
        const { hiddenSize: hidden, intermediateSize: ffn, numHiddenLayers: layers } = config;
        const made = products();
        const of = (inputs: number, outputs: number) =>
          made.filter((line) => line.startsWith(`${rows} ${inputs} ${outputs} `)).length;
        // Not the head's: its 301 outputs are no multiple of 8.
        expect(of(hidden, 3 * hidden)).toBe(layers * parts);
        expect(of(hidden, ffn)).toBe(layers * parts);
        expect(of(ffn, hidden)).toBe(layers * parts);
      },
    );

    it("is captured in the graphs of a batch, which gives the tokens of a CPU", async () => {
      const texts = Array.from({ length: 64 }, (_, i) => [1, 3 + i, 290 - i]);
      const [there, here] = await Promise.all(
        (["cuda", "cpu"] as const).map(async (device) => {
          const model = await loadModel(directory, { device, dtype: "bfloat16" });
          const batch = await model.generateBatch(texts, { maxNewTokens: 4, stopAtEos: false });
          return batch.map(({ ids }) => ids);
        }),
      );
      expect(there).toEqual(here);
      expect(products().filter((line) => line.startsWith("64 ") && line.endsWith(" captured"))).not.toEqual(
        [],
      );
    });

    it.each([
      ["bfloat16", 63],
      ["int8", 255],
      ["int4", 256],
      ["float32", 256],
    ] as const)("has no part in %s with %i rows", async (dtype, rows) => {
      const model = await loadModel(directory, { device: "cuda", dtype });
      await model.logits(promptOf(rows));
      expect(() => products()).toThrow("ENOENT");
    });

    it("is part of what a model will take", async () => {
      const plans: MemoryPlan[] = [];
      const onMemory = (plan: MemoryPlan) => plans.push(plan);
      for (const device of ["cpu", "cuda"] as const)
        await loadModel(directory, { device, dtype: "bfloat16", onMemory });
      const [cpu, gpu] = plans;
      expect(gpu.needed.buffers - cpu.needed.buffers).toBeGreaterThan(2 * 32 * 1024 ** 2);
    });

    it("is an error where it fails, of the op and of those that need what it computes", async () => {
      const model = await loadModel(directory, { device: "cuda", dtype: "bfloat16" });
      process.env.PERSIMMON_FAKE_CUBLASLT_REFUSE = "product";
      try {
        await expect(model.logits(promptOf(81))).rejects.toMatchObject({
          code: "OP_FAILED",
          message: expect.stringContaining("cuBLASLt: a product failed with status 13"),
        });
      } finally {
        delete process.env.PERSIMMON_FAKE_CUBLASLT_REFUSE;
      }
      expect((await model.logits(promptOf(80))).data.every(Number.isFinite)).toBe(true);
    });

    /** What a process says that opens a GPU: the library's version, or why it is refused. */
    function opening(settings: Record<string, string>): string {
      const code = `
        try { console.log(new (require(process.env.PERSIMMON_ADDON).Stream)(1, 0).gpu().cublasLt); }
        catch (error) { console.log(error.code, error.message); }`;
      const env = { ...process.env, ...settings };
      return spawnSync(process.execPath, ["-e", code], { env, encoding: "utf8" }).stdout.trim();
    }

    it("is left out where it is asked to be, and by default where the GPU is emulated", () => {
      expect(opening({})).toBe("13.1.2");
      expect(opening({ PERSIMMON_CUBLASLT: "0" })).toBe("undefined");
      expect(opening({ PERSIMMON_CUBLASLT: "" })).toBe("undefined");
    });

    it("is an error where it was named and cannot be used", () => {
      expect(opening({ PERSIMMON_CUBLASLT: "/nowhere/libcublasLt.so.13" })).toMatch(
        /^DEVICE_UNAVAILABLE cuBLASLt cannot be loaded \(\/nowhere\/libcublasLt.so.13: cannot open shared object file.*\): install .* set PERSIMMON_CUBLASLT to the path/,
      );
      const other = join(repositoryRoot, "build", "Release", "libfake_nccl.so");
      expect(opening({ PERSIMMON_CUBLASLT: other })).toMatch(
        /^DEVICE_UNAVAILABLE .*libfake_nccl.so lacks functions that CUDA 12 and 13 have/,
      );
      expect(opening({ PERSIMMON_FAKE_CUBLASLT_REFUSE: "start" })).toMatch(
        /^DEVICE_UNAVAILABLE cuBLASLt: its start failed with status 1/,
      );
    });
  });
});
