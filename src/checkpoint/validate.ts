import { PersimmonError } from "../errors.js";
import { expectedTensors, type PersimmonConfig } from "../model/config.js";
import type { CheckpointTensor } from "./checkpoint.js";
import { isCheckpointDType, type StoredDType } from "./dtype.js";
import { isHarmless } from "./harmless.js";
import { count, nameList } from "./name_list.js";
import { isQuantizable, packedName, packedShape, scaleName, scaleShape, shapeName } from "./quantized.js";
import type { StoredTensor } from "./stored_tensor.js";

/**
 * Checks that the tensors are exactly those of the config, each with its shape and in a format that the model computes
 * with, and returns them in the order of the config. A matrix may be int8 beside the scales of its rows, or
 * int4 under other names (see `quantizationConfig`).
 *
 * @throws PersimmonError TENSOR_MISSING, TENSOR_UNEXPECTED, TENSOR_SHAPE, TENSOR_DTYPE, each with up to five names
 */
export function checkTensors(
  tensors: ReadonlyMap<string, StoredTensor>,
  config: PersimmonConfig,
  directory: string,
): Map<string, CheckpointTensor> {
  const expected = expectedTensors(config);
  checkNames(tensors, storedNames(tensors, expected), directory);
  const misshapen: string[] = [];
  const unsupported: string[] = [];
  const checked = new Map<string, CheckpointTensor>();
  const expect = (tensor: StoredTensor, shape: readonly number[], dtype?: StoredDType, note = "") => {
    if (String(tensor.shape) !== String(shape))
      misshapen.push(`${tensor.name} [${tensor.shape}] for [${shape}]${note}`);
    if (dtype !== undefined && tensor.dtype !== dtype)
      unsupported.push(`${tensor.name} (${tensor.dtype}, not ${dtype})`);
    return tensor;
  };
  for (const [name, shape] of expected) {
    const tensor = tensors.get(name);
    if (tensor === undefined) {
      const packed = expect(tensors.get(packedName(name))!, packedShape(shape), "int32");
      const scale = expect(
        tensors.get(scaleName(name))!,
        scaleShape("int4", shape),
        "bfloat16",
        " (groups of 32)",
      );
      checked.set(name, { ...packed, name, shape: [...shape], dtype: "int4", packed, scale });
      continue;
    }
    const { dtype } = expect(tensor, shape);
    if (isCheckpointDType(dtype)) checked.set(name, { ...tensor, dtype });
    else if (dtype !== "int8" || !isQuantizable(shape)) unsupported.push(`${name} (${dtype})`);
    else {
      const scale = expect(tensors.get(scaleName(name))!, scaleShape("int8", shape), "float32");
      checked.set(name, { ...tensor, dtype, scale });
    }
  }
  if (misshapen.length > 0) {
    const what = `${count(misshapen, "tensor")} of another shape than config.json gives: ${nameList(misshapen)}`;
    throw new PersimmonError("TENSOR_SHAPE", `${directory}: found ${what}.`);
  }
  if (unsupported.length > 0) {
    const what = `expected float32, bfloat16, float16, or int8 or int4 matrices with scales, found ${count(unsupported, "tensor")} of another format`;
    throw new PersimmonError("TENSOR_DTYPE", `${directory}: ${what}: ${nameList(unsupported)}.`);
  }
  return checked;
}

/** What the files must have: the weights of the config, each with what its type needs. */
function storedNames(
  tensors: ReadonlyMap<string, StoredTensor>,
  expected: ReadonlyMap<string, readonly number[]>,
): Map<string, "needed" | "allowed"> {
  const names = new Map<string, "needed" | "allowed">();
  for (const [name, shape] of expected) {
    const isPacked = !tensors.has(name) && tensors.has(packedName(name)) && isQuantizable(shape, "int4");
    names.set(isPacked ? packedName(name) : name, "needed");
    if (isPacked) names.set(shapeName(name), "allowed");
    if (isPacked || (tensors.get(name)?.dtype === "int8" && isQuantizable(shape)))
      names.set(scaleName(name), "needed");
  }
  return names;
}

function checkNames(
  tensors: ReadonlyMap<string, unknown>,
  names: ReadonlyMap<string, "needed" | "allowed">,
  directory: string,
): void {
  const needed = [...names.keys()].filter((name) => names.get(name) === "needed");
  const missing = needed.filter((name) => !tensors.has(name));
  const unexpected = [...tensors.keys()].filter((name) => !names.has(name) && !isHarmless(name));
  const parts = [];
  if (missing.length > 0) parts.push(`${count(missing, "tensor")} missing: ${nameList(missing)}`);
  if (unexpected.length > 0)
    parts.push(`${count(unexpected, "tensor")} not expected: ${nameList(unexpected)}`);
  if (parts.length === 0) return;
  const code = missing.length > 0 ? "TENSOR_MISSING" : "TENSOR_UNEXPECTED";
  const advice = "config.json and the weights do not belong together, or one of them is incomplete";
  const total = `the config implies ${needed.length} tensors, the files have ${tensors.size}`;
  throw new PersimmonError(code, `${directory}: ${parts.join("; ")}; ${total}. ${advice}.`);
}
