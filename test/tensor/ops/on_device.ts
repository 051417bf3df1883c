import { expect } from "vitest";
import { native, nativeDType } from "../../../src/native.js";
import { Device } from "../../../src/tensor/device.js";
import { scope } from "../../../src/tensor/scope.js";
import { Tensor } from "../../../src/tensor/tensor.js";

export const device = Device.cpu(2);

/** The instruction sets of this machine, best first; the one in use before is chosen again by `useBest`. */
export const instructionSets = (() => {
  const best = native().instructionSet();
  const all = ["avx512-amx", "avx512-bf16", "avx512", "avx2", "portable"].filter((name) =>
    native().setInstructionSet(name),
  );
  native().setInstructionSet(best);
  return all;
})();

export function float32(
  values: ArrayLike<number>,
  shape: readonly number[] = [values.length],
  on = device,
): Tensor {
  return Tensor.from(on, Float32Array.from(values), shape);
}

export function int32(values: ArrayLike<number>, shape: readonly number[] = [values.length]): Tensor {
  return Tensor.from(device, Int32Array.from(values), shape);
}

/** A bfloat16 tensor of values that were rounded by the addon. */
export function bfloat16(
  values: Float32Array,
  shape: readonly number[] = [values.length],
  on = device,
): Tensor {
  const source = float32(values, [values.length], on);
  const out = Tensor.empty(on, shape, "bfloat16");
  expect(nativeDType.bfloat16).toBe(1);
  native().convert(on.stream, out.buffer, source.buffer, values.length);
  return out;
}

/** Runs an op and reads its result, leaving no tensor behind. */
export function valuesOf(f: () => Tensor): Float32Array {
  return scope(() => f().dataSync());
}

/** The largest |found − wanted| − allowed·magnitude; a NaN counts as a miss. */
export function expectClose(
  found: ArrayLike<number>,
  wanted: ArrayLike<number>,
  allowed: number,
  magnitude: (index: number) => number = () => 1,
): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    const error = Math.abs(found[i] - wanted[i]);
    if (!(error <= allowed * magnitude(i))) {
      expect.fail(`element ${i}: found ${found[i]}, wanted ${wanted[i]}, allowed ${allowed * magnitude(i)}`);
    }
  }
}

/** Equal to the last bit; NaN equals NaN of the same bits. */
export function expectSameBits(found: Float32Array, wanted: Float32Array): void {
  const bytes = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  expect(found.length).toBe(wanted.length);
  if (bytes(found).equals(bytes(wanted))) return;
  const at = found.findIndex((value, i) => !Object.is(value, wanted[i]));
  expect.fail(`element ${at} of ${wanted.length}: found ${found[at]}, wanted the bits of ${wanted[at]}`);
}
