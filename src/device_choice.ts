import { PersimmonError } from "./errors.js";
import { Device, type MatmulPrecision } from "./tensor/device.js";

/** Where a model is to run; "auto" is the CPU. */
export type DeviceChoice = "auto" | "cpu" | "cuda";

/**
 * The GPU for "cuda", the first there is, and undefined for the CPU. Says once in a process that kernels for GPUs are untried.
 * @throws PersimmonError DEVICE_UNAVAILABLE where there is no GPU, or for any other name; OPTION_INVALID
 */
export function gpuFor(
  device: DeviceChoice = "auto",
  matmulPrecision: MatmulPrecision = "highest",
): Device | undefined {
  if (device === "auto" || device === "cpu") return undefined;
  if (device !== "cuda") {
    throw new PersimmonError(
      "DEVICE_UNAVAILABLE",
      `device must be "auto", "cpu" or "cuda", got ${JSON.stringify(device)}`,
    );
  }
  const gpu = Device.cuda(0, matmulPrecision);
  if (!warned) {
    warned = true;
    process.emitWarning(
      'the CUDA kernels of this version have run on an emulated GPU only: compare results with device: "cpu" before you rely on them',
      "PersimmonCudaWarning",
    );
  }
  return gpu;
}

let warned = false;
