import type { CheckpointTensor } from "../checkpoint/index.js";
import { loadRows } from "../runtime/load_weights.js";
import type { Device } from "../tensor/device.js";

/** Numbers of rows of a stored tensor, one row after the other; of a vector it has rows of one number. */
export async function rowNumbers(
  tensor: CheckpointTensor,
  first: number,
  count: number,
  device: Device,
): Promise<Float32Array> {
  using numbers = await loadRows(tensor, device, "float32", first, count);
  return await numbers.data();
}
