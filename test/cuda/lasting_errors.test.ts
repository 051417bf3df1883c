import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { isGpuReal, onGpu } from "../support/other_addon.js";
import { repositoryRoot } from "../support/shared.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

const lasting =
  "an illegal memory access was encountered; this process cannot use a GPU any more: start it anew (in a notebook, restart the kernel)";

onGpu("a GPU on which a kernel has failed", () => {
  describe.skipIf(isGpuReal)("in a process of its own", () => {
    /** What a script prints whose GPU fails after so many kernels. */
    async function afterFault(kernels: number, script: string): Promise<string[]> {
      const library = pathToFileURL(join(repositoryRoot, "dist", "src", "index.js")).href;
      const code = `
        const { loadModel, Tensor } = await import(${JSON.stringify(library)});
        const attempt = async (run) => {
          try { console.log(await run()); } catch ({ code, message }) { console.log(code + ": " + message); }
        };
        const source = ${JSON.stringify(await tinyCheckpoint())};
        ${script}`;
      const env = { ...process.env, PERSIMMON_CUDA_EMULATOR_FAULT: `${kernels}` };
      const { stdout, stderr, status } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
        env,
        encoding: "utf8",
        timeout: 60_000,
      });
      expect(status, stderr).toBe(0);
      return stdout.trimEnd().split("\n");
    }

    it.each([3, 100, 200, 400])("says so at whatever kernel that was: %i", async (kernels) => {
      const lines = await afterFault(
        kernels,
        `const model = await loadModel(source, { device: "cuda" });
        const generate = async () => (await model.generate([1, 270, 300], { maxNewTokens: 30 }).done).ids.length;
        await attempt(generate);
        await attempt(generate);
        await attempt(() => model.logits([1, 270]));
        await attempt(() => Tensor.from(model.device, new Float32Array(2 ** 24)).shape);
        const cpu = await loadModel(source, { device: "cpu" });
        await attempt(async () => (await cpu.generate([1, 270, 300], { maxNewTokens: 30 }).done).ids.length);`,
      );
      expect(lines).toHaveLength(5);
      for (const line of lines.slice(0, 4)) expect(line).toMatch(/^OP_FAILED: /);
      for (const line of lines.slice(0, 4)) expect(line).toContain(lasting);
      // Not that there were no memory.
      expect(lines[3]).toBe(`OP_FAILED: memory of the GPU: ${lasting}`);
      expect(lines[4]).toBe("30");
    });
  });
});
