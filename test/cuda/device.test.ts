import { inspect } from "node:util";
import { expect, it } from "vitest";
import { Device } from "../../src/tensor/device.js";
import * as ops from "../../src/tensor/ops/index.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { isGpuReal, onGpu } from "../support/other_addon.js";

onGpu("a GPU as a device", () => {
  const values = Float32Array.from({ length: 96 }, (_, i) => Math.cos(i));

  it("is the same for the same number, and says what it is", () => {
    const gpu = Device.cuda();
    expect(Device.cuda(0)).toBe(gpu);
    expect(gpu.kind).toBe("cuda");
    expect(gpu.instructionSet).toBe(`sm_${gpu.gpu!.major}${gpu.gpu!.minor}`);
    if (!isGpuReal) expect(gpu.gpu).toMatchObject({ name: "emulated GPU", major: 9, minor: 0 });
  });

  it("is another one for another precision, which must be one", () => {
    const medium = Device.cuda(0, "medium");
    expect(Device.cuda(0, "medium")).toBe(medium);
    expect(medium).not.toBe(Device.cuda());
    expect(inspect(medium)).toBe(`Device cuda, ${medium.gpu!.name}, medium precision`);
    expect(inspect(Device.cuda())).toBe(`Device cuda, ${medium.gpu!.name}`);
    expect(() => Device.cuda(0, "low" as "medium")).toThrow(
      expect.objectContaining({
        code: "OPTION_INVALID",
        message: expect.stringMatching(/^matmulPrecision must be .*"highest".*"medium", got "low"/),
      }),
    );
  });

  it("is refused where there is none of that number", () => {
    expect(() => Device.cuda(1000)).toThrow(
      expect.objectContaining({
        code: "DEVICE_UNAVAILABLE",
        message: expect.stringMatching(/^there is no GPU 1000, but \d+, counted from 0; use device: "cpu"$/),
      }),
    );
  });

  it.each(["float32", "int8", "int4"] as const)("gets %s tensors and gives them back", async (dtype) => {
    const [cpu, gpu] = [Device.cpu(1), Device.cuda()];
    const plain = Tensor.from(cpu, values, [3, 32]);
    const tensor = dtype === "float32" ? plain : dtype === "int8" ? plain.toInt8() : plain.toInt4();
    const there = tensor.to(gpu);
    expect(there.device).toBe(gpu);
    expect(await there.data()).toEqual(await tensor.data());
    const back = there.to(cpu);
    expect(await back.data()).toEqual(await tensor.data());
  });

  it("keeps the order of columns of a tensor that moves", async () => {
    const tensor = Tensor.from(Device.cpu(1), values, [3, 32]).toColumnMajor();
    const there = tensor.to(Device.cuda());
    expect(there.isColumnMajor).toBe(true);
    expect(await there.data()).toEqual(values);
  });

  it("refuses an op on tensors of two devices", () => {
    const [here, there] = [Device.cpu(1), Device.cuda()].map((device) => Tensor.from(device, values));
    expect(() => ops.add(here, there)).toThrow(expect.objectContaining({ code: "DEVICE_MISMATCH" }));
  });

  // A real one may have as much.
  it.skipIf(isGpuReal)("says that there is no memory left", () => {
    expect(() => Tensor.empty(Device.cuda(), [2 ** 31 - 1])).toThrow(
      expect.objectContaining({
        code: "OUT_OF_MEMORY",
        message: expect.stringContaining("the GPU has no 8589 MB left"),
      }),
    );
  });
});
