import { PersimmonError } from "../errors.js";
import { native } from "../native.js";
import { Device, type MatmulPrecision } from "../tensor/device.js";
import type { Rank, TensorParallel } from "./rank_group.js";
import { secondsToWait } from "./seconds_to_wait.js";

/**
 * Ranks on the first GPUs of this machine, one each, which NCCL connects.
 * @throws PersimmonError DEVICE_UNAVAILABLE, NCCL_UNAVAILABLE, OPTION_INVALID
 */
export function gpuRanks(ranks: TensorParallel, matmulPrecision: MatmulPrecision): Rank[] {
  if (ranks === "mpi") {
    throw new PersimmonError(
      "OPTION_INVALID",
      'tensorParallel: "mpi" splits a model over CPUs: with device: "cuda" give a number of GPUs of this machine',
    );
  }
  const found = native().gpuCount();
  if (found < ranks) {
    throw new PersimmonError(
      "DEVICE_UNAVAILABLE",
      `tensorParallel: ${ranks} needs as many GPUs, and this machine has ${found}`,
    );
  }
  const devices = Array.from({ length: ranks }, (_, number) => Device.cuda(number, matmulPrecision));
  const streams = devices.map(({ stream }) => stream);
  const communicators = native().ncclCommunicators(streams, secondsToWait("PERSIMMON_NCCL_TIMEOUT"));
  return devices.map((device, number) => ({ number, ranks, device, communicator: communicators[number] }));
}
