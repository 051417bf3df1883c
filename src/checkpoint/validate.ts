import { PersimmonError } from "../errors.js";
import { expectedTensors, type PersimmonConfig } from "../model/config.js";
import type { CheckpointTensor } from "./checkpoint.js";
import { isCheckpointDType } from "./dtype.js";
import { isHarmless } from "./harmless.js";
import { count, nameList } from "./name_list.js";
import { isQuantizable, scaleName } from "./quantized.js";
import type { StoredTensor } from "./stored_tensor.js";

/**
 * Checks that the tensors are exactly those of the config, each with its shape and in a format that the model computes
 * with, and returns them in the order of the config. A matrix may be int8 beside the scales of its rows.
 *
 * @throws PersimmonError TENSOR_MISSING, TENSOR_UNEXPECTED, TENSOR_SHAPE, TENSOR_DTYPE, each with up to five names
 */
export function checkTensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  config: PersimmonConfig,
  directory: string,
): Map<string, CheckpointTensor> {
  const expected = expectedTensors(config);
  const isScaled = ([name, shape]: [string, number[]]) =>
    tensors.get(name)?.dtype === "int8" && isQuantizable(name, shape);
  const scales = [...expected].filter(isScaled).map(([name]) => scaleName(name));
  checkNames(tensors, new Set([...expected.keys(), ...scales]), directory);
  const misshapen: string[] = [];
  const unsupported: string[] = [];
  const checked = new Map<string, CheckpointTensor>();
  for (const [name, shape] of expected) {
    const tensor = tensors.get(name)!;
    if (String(tensor.shape) !== String(shape)) misshapen.push(`${name} [${tensor.shape}] for [${shape}]`);
    const { dtype } = tensor;
    if (isCheckpointDType(dtype)) checked.set(name, { ...tensor, dtype });
    else if (dtype !== "int8" || !isQuantizable(name, shape)) unsupported.push(`${name} (${dtype})`);
    else {
      const scale = tensors.get(scaleName(name))!;
      if (String(scale.shape) !== String([shape[0], 1])) {
        misshapen.push(`${scale.name} [${scale.shape}] for [${shape[0]},1]`);
      }
      if (scale.dtype !== "float32") unsupported.push(`${scale.name} (${scale.dtype}, not float32)`);
      checked.set(name, { ...tensor, dtype, scale });
    }
  }
  if (misshapen.length > 0) {
    const what = `${count(misshapen, "tensor")} of another shape than config.json gives: ${nameList(misshapen)}`;
    throw new PersimmonError("TENSOR_SHAPE", `${directory}: found ${what}.`);
  }
  if (unsupported.length > 0) {
    const what = `expected float32, bfloat16, float16 or int8 matrices with scales, found ${count(unsupported, "tensor")} of another format`;
    throw new PersimmonError("TENSOR_DTYPE", `${directory}: ${what}: ${nameList(unsupported)}.`);
  }
  return checked;
}

function checkNames(
  tensors: ReadonlyMap<string, unknown>,
  expected: ReadonlySet<string>,
  directory: string,
): void {
  const missing = [...expected].filter((name) => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !expected.has(name) && !isHarmless(name));
  const parts = [];
  if (missing.length > 0) parts.push(`${count(missing, "tensor")} missing: ${nameList(missing)}`);
  if (unexpected.length > 0)
    parts.push(`${count(unexpected, "tensor")} not expected: ${nameList(unexpected)}`);
  if (parts.length === 0) return;
  const code = missing.length > 0 ? "TENSOR_MISSING" : "TENSOR_UNEXPECTED";
  const advice = "config.json and the weights do not belong together, or one of them is incomplete";
  const total = `the config implies ${expected.size} tensors, the files have ${tensors.size}`;
  throw new PersimmonError(code, `${directory}: ${parts.join("; ")}; ${total}. ${advice}.`);
}
