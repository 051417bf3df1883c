import { beforeAll, describe, expect, it } from "vitest";
import { headWeights, type LanguageModel, loadModel, nn, ops, Tensor } from "../../src/index.js";
import { failureOf } from "../support/codes.js";
import { tinyCheckpoint } from "../support/tiny_checkpoint.js";

let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});
const prompt = "Lily was sad. Her mom gave her a";

/** x [rows, inner] · weightᵀ + bias in float64, weight [outer, inner]. */
function times(x: Float32Array, weight: Float32Array, inner: number, bias?: Float32Array): Float64Array {
  const [rows, outer] = [x.length / inner, weight.length / inner];
  return Float64Array.from({ length: rows * outer }, (_, at) => {
    const [row, column] = [Math.floor(at / outer), at % outer];
    let sum = bias?.[column] ?? 0;
    for (let i = 0; i < inner; i++) sum += x[row * inner + i] * weight[column * inner + i];
    return sum;
  });
}

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  return Array.from(a, (value, at) => Math.abs(value - b[at])).reduce(
    (most, each) => Math.max(most, each),
    0,
  );
}

describe("headWeights", () => {
  it("gives the recorded values of each head from the layer's normed input", async () => {
    const { config } = model;
    const { headDim, hiddenSize, numAttentionHeads: heads } = config;
    const { cache } = await model.runWithCache(prompt, {
      names: ["layers.3.in", "layers.3.attn.q", "layers.3.attn.k", "layers.3.attn.v"],
    });
    const { data, shape } = cache.get("layers.3.in");
    using x = Tensor.from(model.device, data, shape);
    using normed = model.layers[3].inputLayernorm.call(x);
    const input = await normed.data();
    const { qLayernorm, kLayernorm } = model.layers[3].selfAttn;
    for (let head = 0; head < heads; head++) {
      const weights = await headWeights(model, 3, head);
      expect([weights.layer, weights.head]).toEqual([3, head]);
      expect(weights.v.shape).toEqual([headDim, hiddenSize]);
      for (const [name, norm] of [
        ["q", qLayernorm],
        ["k", kLayernorm],
        ["v", undefined],
      ] as const) {
        let found: ArrayLike<number> = times(input, weights[name].data, hiddenSize, weights.biases[name]);
        if (norm !== undefined) {
          using before = Tensor.from(model.device, Float32Array.from(found), [shape[0], headDim]);
          using after = norm.call(before);
          found = await after.data();
        }
        const recorded = cache.get(`layers.3.attn.${name}`).data;
        const ofHead = recorded.filter((_, at) => Math.floor(at / headDim) % heads === head);
        expect(largestDifference(found, ofHead)).toBeLessThan(1e-5);
      }
    }
  });

  it("what the heads write, with the bias once, is the attention's output", async () => {
    const { headDim, hiddenSize, numAttentionHeads: heads } = model.config;
    const { cache } = await model.runWithCache(prompt, { names: ["layers.5.attn.z", "layers.5.attn.out"] });
    const z = cache.get("layers.5.attn.z").data;
    const wanted = cache.get("layers.5.attn.out").data;
    const sum = new Float64Array(wanted.length);
    for (let head = 0; head < heads; head++) {
      const { o, biases } = await headWeights(model, 5, head);
      expect(o.shape).toEqual([hiddenSize, headDim]);
      const own = z.filter((_, at) => Math.floor(at / headDim) % heads === head);
      const written = times(own, o.data, headDim, head === 0 ? biases.o : undefined);
      for (const [at, value] of written.entries()) sum[at] += value;
    }
    expect(largestDifference(sum, wanted)).toBeLessThan(1e-4);
  });

  it.each(["bfloat16", "int8", "int4"] as const)(
    "of %s weights: what their tensors say in float32",
    async (dtype) => {
      const whole = await loadModel(await tinyCheckpoint(), { dtype });
      const { queryKeyValue, dense } = whole.layers[1].selfAttn;
      expect(queryKeyValue.weight.dtype).toBe(dtype);
      const { q, k, v, o, biases } = await headWeights(whole, 1, 1);
      // Two heads of 16 numbers: those of the second come after 48 rows.
      const rows = await queryKeyValue.weight.data();
      for (const [part, matrix] of [q, k, v].entries()) {
        const from = (48 + 16 * part) * 32;
        // A lookup of int4 has -0 where the whole tensor has 0.
        expect(matrix.data.map((value) => value + 0)).toEqual(
          rows.slice(from, from + 16 * 32).map((value) => value + 0),
        );
      }
      const all = await dense.weight.data();
      expect(o.data).toEqual(all.filter((_, at) => at % 32 >= 16));
      expect(biases.k).toEqual((await queryKeyValue.bias!.data()).slice(64, 80));
    },
  );

  it("leaves no memory behind", async () => {
    const before = model.device.memory().bytesInUse;
    await headWeights(model, 0, 0);
    expect(model.device.memory().bytesInUse).toBeLessThanOrEqual(before);
  });

  it("refuses what is not there, and modules that it cannot read", async () => {
    expect(await failureOf(headWeights(model, 6, 0))).toBe(
      "HEAD_UNKNOWN: headWeights: layer must be a whole number from 0 to 5, got 6",
    );
    expect(await failureOf(headWeights(model, 0, -1))).toMatch(
      /^HEAD_UNKNOWN: .*head must be a whole number from 0 to 3/,
    );
    expect(await failureOf(headWeights(model, "0" as never, 0))).toMatch(/^HEAD_UNKNOWN/);
    class Own extends nn.Module {
      protected override forward(x: Tensor): Tensor {
        return x;
      }
    }
    const { selfAttn } = model.layers[2];
    const { dense } = selfAttn;
    selfAttn.dense = new Own();
    expect(await failureOf(headWeights(model, 2, 0))).toMatch(/^HEAD_WEIGHTS_UNSUPPORTED: .*dense .*\(Own\)/);
    selfAttn.dense = dense;
    const split = await loadModel(await tinyCheckpoint(), { tensorParallel: 2 });
    expect(await failureOf(headWeights(split, 0, 0))).toMatch(
      /^HEAD_WEIGHTS_UNSUPPORTED: .*split over ranks/,
    );
  });
});

describe("toFloat32", () => {
  it("has the values of a tensor of any type, and ops that need float32 take it", async () => {
    const whole = await loadModel(await tinyCheckpoint(), { dtype: "bfloat16" });
    const weight = whole.layers[0].selfAttn.dense.weight; // [32, 32]
    for (const tensor of [
      weight,
      weight.toInt8(),
      weight.toInt4(),
      weight.toColumnMajor(),
      weight.copy().rows(3, 5),
    ]) {
      using float32 = tensor.toFloat32();
      expect([float32.dtype, float32.shape]).toEqual(["float32", tensor.shape]);
      expect(await float32.data()).toEqual(await tensor.data());
      using transposed = ops.transpose(float32);
      using product = ops.matmul(float32, transposed);
      const values = await tensor.data();
      const square = values.slice(0, 32).reduce((sum, value) => sum + value * value, 0);
      expect((await product.data())[0]).toBeCloseTo(square, 4);
    }
    using same = weight.toFloat32().toFloat32();
    expect(same.dtype).toBe("float32");
  });

  it("is what the refusal of other types names", () => {
    const float32 = Tensor.from(model.device, Float32Array.of(1, 2, 3, 4), [2, 2]);
    const bfloat16 = Tensor.empty(model.device, [2, 2], "bfloat16");
    const int32 = Tensor.from(model.device, Int32Array.of(1, 2, 3, 4), [2, 2]);
    expect(() => ops.matmul(float32, bfloat16)).toThrow(
      "ops.matmul: b must be float32, got bfloat16; b.toFloat32() has the same values in float32",
    );
    expect(() => ops.matmul(int32, float32)).toThrow(/^ops.matmul: a must be float32, got int32$/);
    expect(() => int32.toFloat32()).toThrow(/toFloat32 takes .* got int32/);
  });
});
