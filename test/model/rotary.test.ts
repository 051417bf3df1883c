import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inverseFrequencies, rotaryAngles } from "../../src/model/rotary.js";
import { roundToBFloat16 } from "../../src/tensor/dtype.js";
import { readReferenceTensors } from "../support/reference_tensors.js";
import { sharedOrSkip } from "../support/shared.js";

const config = { rotaryDims: 32, ropeTheta: 25000, ropeScaling: undefined };

sharedOrSkip("reference/rope", "rotary tables of Hugging Face", (directory) => {
  it("inverse frequencies are equal to the bit", () => {
    const { inv_freq_f32_hex: hex } = JSON.parse(readFileSync(join(directory, "rope.json"), "utf8"));
    const words = new Uint32Array(inverseFrequencies(config).buffer);
    expect(Array.from(words, (word) => word.toString(16))).toEqual(hex);
  });

  it('rope: "adept" has the bits of torch\'s bfloat16 tables at every stored position', () => {
    const tensors = readReferenceTensors(join(directory, "rope.safetensors"));
    const positions = tensors.get("positions")!.data;
    const { cos, sin } = rotaryAngles(config, Math.max(...positions) + 1, "adept");
    const half = config.rotaryDims / 2;
    for (const [name, table] of Object.entries({ cos, sin })) {
      const found = [...positions].flatMap((at) => [...table.subarray(at * half, (at + 1) * half)]);
      expect(found).toEqual([...tensors.get(`${name}_adept_bf16`)!.data]);
    }
    expect(positions).toHaveLength(24);
    expect([...inverseFrequencies(config)].map(roundToBFloat16)).toEqual([
      ...tensors.get("inv_freq_adept_bf16")!.data,
    ]);
    expect([...positions].map(roundToBFloat16)).toEqual([...tensors.get("pos_adept_bf16")!.data]);
  });

  it("cosines and sines are within one unit in the last place of float32", () => {
    const tensors = readReferenceTensors(join(directory, "rope.safetensors"));
    const positions = tensors.get("positions")!.data;
    const { cos, sin } = rotaryAngles(config, Math.max(...positions) + 1);
    const half = config.rotaryDims / 2;
    for (const [name, table] of Object.entries({ cos, sin })) {
      const wanted = tensors.get(`${name}_hf_f32`)!;
      for (const [row, position] of positions.entries()) {
        for (let j = 0; j < half; j++) {
          expect(Math.abs(table[position * half + j] - wanted.data[row * half + j])).toBeLessThan(1.2e-7);
        }
      }
    }
  });
});

it("linear scaling divides the frequencies, in float32", () => {
  const plain = inverseFrequencies(config);
  const scaled = inverseFrequencies({ ...config, ropeScaling: { type: "linear", factor: 3 } });
  expect(Array.from(scaled)).toEqual(Array.from(plain, (value) => Math.fround(value / 3)));
});

it("position 0 turns nothing, and no rotation at all is an empty table", () => {
  const { cos, sin } = rotaryAngles(config, 2);
  expect(cos.slice(0, 16).every((value) => value === 1)).toBe(true);
  expect(sin.slice(0, 16).every((value) => value === 0)).toBe(true);
  expect(rotaryAngles({ ...config, rotaryDims: 0 }, 5).cos).toHaveLength(0);
});
