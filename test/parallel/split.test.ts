import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedTensors, parseConfig } from "../../src/model/config.js";
import { shardWeight } from "../../src/parallel/shard_weights.js";
import { checkSplit, partOf, splitAxis } from "../../src/parallel/split.js";
import { Device } from "../../src/tensor/device.js";
import { Tensor } from "../../src/tensor/tensor.js";
import { failureOf } from "../support/codes.js";
import "../support/property_seed.js";
import { RandomValues } from "../support/random_values.js";
import { tinyConfig } from "../support/tiny_checkpoint.js";

const config = (changes: Record<string, unknown>) => parseConfig({ ...tinyConfig, ...changes });
const refusal = (changes: Record<string, unknown>, ranks: number, isInt4 = false) =>
  failureOf((async () => checkSplit(config(changes), ranks, isInt4))());

describe("the split", () => {
  it("is that of Megatron: every tensor along the axis of its table", () => {
    const axes = new Map<string, 0 | 1 | undefined>();
    for (const name of expectedTensors(config({})).keys()) {
      axes.set(name.replace(/layers\.\d+/, "layers.N"), splitAxis(name));
    }
    const split = [...axes].filter(([, axis]) => axis !== undefined);
    expect(Object.fromEntries(split)).toEqual({
      "model.embed_tokens.weight": 0,
      "model.layers.N.self_attn.query_key_value.weight": 0,
      "model.layers.N.self_attn.query_key_value.bias": 0,
      "model.layers.N.self_attn.dense.weight": 1,
      "model.layers.N.mlp.dense_h_to_4h.weight": 0,
      "model.layers.N.mlp.dense_h_to_4h.bias": 0,
      "model.layers.N.mlp.dense_4h_to_h.weight": 1,
      "lm_head.weight": 0,
    });
  });

  it("has contiguous parts that cover an axis, equal but for the last", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 9 }), (total, ranks) => {
        const parts = Array.from({ length: ranks }, (_, rank) => partOf(total, rank, ranks));
        let next = 0;
        for (const { first, count } of parts) {
          expect(first).toBe(next);
          expect(count).toBeGreaterThanOrEqual(0);
          expect(count).toBeLessThanOrEqual(parts[0].count);
          next += count;
        }
        expect(next).toBe(total);
      }),
    );
  });

  it("refuses what does not fit, and says what does", async () => {
    expect(await refusal({ num_attention_heads: 4 }, 3)).toBe(
      "TENSOR_PARALLEL_INVALID: this model cannot be split over 3 ranks: its 4 heads are not a multiple of 3; what fits: 1, 2, 4",
    );
    expect(await refusal({ num_attention_heads: 4, intermediate_size: 66 }, 4)).toMatch(
      /the 66 neurons of its MLPs are not a multiple of 4; what fits: 1, 2$/,
    );
    expect(await refusal({ num_attention_heads: 4, vocab_size: 5, eos_token_id: 2 }, 4)).toMatch(
      /its 5 tokens are too few; what fits: 1, 2$/,
    );
    const large = { hidden_size: 256, num_attention_heads: 8, intermediate_size: 192 };
    expect(await refusal(large, 4, true)).toMatch(
      /int4 needs groups of 32 inputs, and a rank would have 48 of the 192 neurons; what fits: 1, 2$/,
    );
    checkSplit(config(large), 4, false);
    checkSplit(config(large), 2, true);
    expect(
      await refusal({ hidden_size: 128, num_attention_heads: 8, intermediate_size: 512 }, 8, true),
    ).toMatch(/a rank would have 16 of the 128 outputs of attention; what fits: 1, 2, 4$/);
    // Where int4 leaves a matrix as it is, since its rows are no multiple of 32, there are no groups to be kept whole.
    checkSplit(config({ hidden_size: 48, num_attention_heads: 4, intermediate_size: 36 }), 4, true);
  });
});

describe("the parts of a weight", () => {
  const device = Device.cpu(1);

  it.each(["float32", "bfloat16", "int8", "int4"] as const)("make it up again: %s", async (dtype) => {
    const sizes = fc.record({
      ranks: fc.constantFrom(1, 2, 3, 4),
      rows: fc.integer({ min: 4, max: 70 }),
      groups: fc.integer({ min: 1, max: 3 }),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(sizes, async ({ ranks, rows, groups, seed }) => {
        const columns = 32 * ranks * groups;
        const values = new RandomValues(seed).normal(rows * columns);
        for (const name of ["lm_head.weight", "model.layers.0.mlp.dense_4h_to_h.weight"]) {
          using whole = made(values, [rows, columns], dtype);
          const expected = await whole.data();
          const axis = splitAxis(name) as 0 | 1;
          const found = new Float32Array(rows * columns);
          for (let rank = 0; rank < ranks; rank++) {
            using part = shardWeight(name, whole.view(), rank, ranks);
            const { first, count } = partOf(whole.shape[axis], rank, ranks);
            expect(part.dtype).toBe(dtype);
            expect(part.shape).toEqual(whole.shape.with(axis, count));
            const data = await part.data();
            for (let i = 0; i < data.length; i++) {
              const [row, column] = [Math.floor(i / part.shape[1]), i % part.shape[1]];
              const at = axis === 0 ? (first + row) * columns + column : row * columns + first + column;
              found[at] = data[i];
            }
          }
          expect(found).toEqual(expected);
        }
      }),
      { numRuns: 12 },
    );
  });

  it("of a vector are its elements; what every rank has stays as it is", async () => {
    using bias = Tensor.from(device, Float32Array.of(1, 2, 3, 4, 5, 6));
    using part = shardWeight("model.layers.0.mlp.dense_h_to_4h.bias", bias.view(), 1, 3);
    expect([...(await part.data())]).toEqual([3, 4]);
    using norm = shardWeight("model.layers.0.input_layernorm.bias", bias.view(), 1, 3);
    expect(norm.shape).toEqual([6]);
    using added = shardWeight("model.layers.0.mlp.dense_4h_to_h.bias", bias.view(), 1, 3);
    expect(added.shape).toEqual([6]);
  });

  function made(
    values: Float32Array,
    shape: number[],
    dtype: "float32" | "bfloat16" | "int8" | "int4",
  ): Tensor {
    const tensor = Tensor.from(device, values, shape);
    if (dtype === "float32") return tensor;
    const other =
      dtype === "bfloat16" ? rounded(tensor) : dtype === "int8" ? tensor.toInt8() : tensor.toInt4();
    tensor.release();
    return other;
  }

  /** The upper halves of the numbers. */
  function rounded(tensor: Tensor): Tensor {
    const halves = new Uint16Array(tensor.dataSync().buffer).filter((_, index) => index % 2 === 1);
    const out = Tensor.empty(device, tensor.shape, "bfloat16");
    device.stream.write(out.memory, 0, new Uint8Array(halves.buffer));
    return out;
  }
});
