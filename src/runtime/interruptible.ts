import { throwIfInterrupted } from "../host.js";
import type { Device } from "../tensor/device.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * Runs ops that can be interrupted between any two of them, and waits for them: a chunk of a prompt takes seconds in a
 * large model, an op a fraction of one.
 * @param run enqueues the ops and returns their result without awaiting anything
 * @throws PersimmonError INTERRUPTED; the result is then released
 */
export async function interruptible(device: Device, signal: AbortSignal, run: () => Tensor): Promise<Tensor> {
  throwIfInterrupted(signal);
  const { stream } = device;
  const group = stream.startGroup();
  let result: Tensor;
  try {
    result = run();
  } finally {
    stream.endGroup();
  }
  const cancel = () => stream.cancel(group);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    using mark = Tensor.from(device, Int32Array.of(0));
    await mark.integers();
    throwIfInterrupted(signal);
  } catch (error) {
    result.release();
    // Of a split model, a rank that was interrupted first fails what the others have begun.
    throwIfInterrupted(signal);
    throw error;
  } finally {
    signal.removeEventListener("abort", cancel);
  }
  return result;
}
