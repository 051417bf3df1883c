import { expect, it } from "vitest";
import { loadModel } from "../../src/load_model.js";
import type { MemoryPlan } from "../../src/runtime/memory_check.js";
import { onGpu } from "../support/other_addon.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

onGpu("what a model takes on a GPU", () => {
  it("is all of its weights, those that a CPU uses in their file, too", async () => {
    const source = await tinyCheckpoint();
    const plans: MemoryPlan[] = [];
    for (const device of ["cpu", "cuda"] as const) {
      await loadModel(source, { device, onMemory: (plan) => plans.push(plan) });
    }
    const [cpu, gpu] = plans;
    expect(cpu.inPlace).toBeGreaterThan(0);
    expect(gpu.inPlace).toBe(0);
    expect(gpu.needed).toEqual(cpu.needed);
  });
});
