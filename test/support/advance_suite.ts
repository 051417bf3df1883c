import fc from "fast-check";
import { expect, it } from "vitest";
import { SeededRandom } from "../../src/generation/random.js";
import type { Device } from "../../src/tensor/device.js";
import * as ops from "../../src/tensor/ops/index.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { RandomValues } from "./random_values.js";

/** Tests of what lies between two tokens on a device: the numbers that are drawn there, and the inputs of the next pass. */
export function testAdvance(device: () => Device): void {
  const int32 = (values: readonly number[] | Int32Array, shape?: readonly number[]) =>
    Tensor.from(device(), Int32Array.from(values), shape);

  it("draws with the numbers that the generators of JavaScript make, one after the other", async () => {
    const options = fc.record({
      temperature: fc.constantFrom(0.5, 1, 2),
      topK: fc.constantFrom(0, 7),
      topP: fc.constantFrom(0, 0.9),
    });
    const seeds = fc.array(fc.nat(Number.MAX_SAFE_INTEGER), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(seeds, options, fc.nat(), async (rowSeeds, sampling, seed) => {
        const rows = rowSeeds.length;
        const random = rowSeeds.map((each) => new SeededRandom(each));
        const words = () => random.flatMap((each) => [...each.words]);
        using state = int32(words(), [rows, 4]);
        using ids = int32(new Int32Array(rows));
        using positions = int32(new Int32Array(rows));
        using results = int32(new Int32Array(2 * rows), [2, rows]);
        const values = new RandomValues(seed);
        for (let step = 0; step < 3; step++) {
          using logits = Tensor.from(device(), values.normal(rows * 50, 2), [rows, 50]);
          using drawn = ops.sampleSeeded(logits, sampling, state);
          const uniform = Float64Array.from(random, (each) => each.next());
          using expected = ops.sample(logits, sampling, uniform);
          expect(await drawn.integers()).toEqual(await expected.integers());
          ops.advance({ ids, positions, random: state, results }, drawn);
          expect(Array.from(await state.integers())).toEqual(words());
        }
      }),
      { numRuns: 12 },
    );
  });

  it("leaves the tokens and the next positions where the next pass reads them", async () => {
    // More rows than a block of the GPU has threads.
    for (const rows of [1, 2, 33, 70]) {
      const numbers = Array.from({ length: rows }, (_, row) => row);
      using ids = int32(numbers);
      using positions = int32(numbers.map((row) => 5 * row));
      using random = int32(new Int32Array(4 * rows), [rows, 4]);
      using results = int32(new Int32Array(2 * rows).fill(-7), [2, rows]);
      using chosen = int32(numbers.map((row) => 1000 - row));
      using logprobs = Tensor.from(
        device(),
        Float32Array.from(numbers, (row) => (row === 1 ? Number.NaN : -row / 3)),
      );
      ops.advance({ ids, positions, random, results }, chosen);
      const wanted = numbers.map((row) => 1000 - row);
      expect([...(await ids.integers())]).toEqual(wanted);
      expect([...(await positions.integers())]).toEqual(numbers.map((row) => 5 * row + 1));
      expect([...(await results.integers())]).toEqual([...wanted, ...numbers.map(() => -7)]);
      ops.advance({ ids, positions, random, results }, chosen, logprobs);
      const bits = await results.integers();
      expect(new Float32Array(bits.slice(rows).buffer)).toEqual(await logprobs.data());
      expect([...(await positions.integers())]).toEqual(numbers.map((row) => 5 * row + 2));
    }
  });

  it("hands out what was read at its place in the stream, however late", async () => {
    const { stream } = device();
    using value = int32([1, 2, 3]);
    const readings: object[] = [];
    for (let i = 0; i < 5; i++) {
      readings.push(stream.startRead(value.buffer, 4, 8));
      value.write(Int32Array.of(10 * i, 10 * i + 1, 10 * i + 2));
    }
    // One is never asked for, and one twice.
    const read = async (at: number) => [...new Int32Array(await stream.finishRead(readings[at]))];
    expect(await read(4)).toEqual([31, 32]);
    expect(await read(0)).toEqual([2, 3]);
    expect(await read(2)).toEqual([11, 12]);
    expect(await read(2)).toEqual([11, 12]);
    expect(await read(1)).toEqual([1, 2]);
    const large = int32(Array.from({ length: 5000 }, (_, i) => i));
    const reading = stream.startRead(large.buffer, 0, 20_000);
    large.release();
    expect(new Int32Array(await stream.finishRead(reading))[4999]).toBe(4999);
  });
}
