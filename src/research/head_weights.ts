import { PersimmonError } from "../errors.js";
import type { LanguageModel } from "../language_model.js";
import type { Attention } from "../model/attention.js";
import { Linear } from "../nn/linear.js";
import { optionChecks } from "../option_checks.js";
import * as ops from "../tensor/ops/index.js";
import { scope } from "../tensor/scope.js";
import { Tensor } from "../tensor/tensor.js";

/** A matrix on the host, row-major. */
export interface WeightMatrix {
  data: Float32Array;
  shape: [rows: number, columns: number];
}

/** What one head has of the projections of its layer. The input of q, k and v is the layer's normed residual stream, `inputLayernorm(in)`. */
export interface HeadWeights {
  layer: number;
  head: number;
  /** [headDim, hidden]: q = input · qᵀ + biases.q, before the head's LayerNorm and the rotary embedding; then it is the site `attn.q` */
  q: WeightMatrix;
  /** as q */
  k: WeightMatrix;
  /** [headDim, hidden]: v = input · vᵀ + biases.v is the site `attn.v` */
  v: WeightMatrix;
  /** [hidden, headDim]: the head adds z · oᵀ to the residual stream; the site `attn.z` has z */
  o: WeightMatrix;
  /** q, k and v [headDim]; o [hidden], which is of the whole attention: it is added once, not by each head. Undefined where there are none. */
  biases: Record<"q" | "k" | "v" | "o", Float32Array | undefined>;
}

/**
 * The weights of one head in float32, from weights of any type: rows of `queryKeyValue`, which has [head][q, k, v][headDim], and
 * columns of `dense`. TransformerLens' W_Q, W_K, W_V and W_O are these, transposed.
 * @param layer from 0
 * @param head from 0
 * @throws PersimmonError HEAD_UNKNOWN for a layer or a head that is not there, HEAD_WEIGHTS_UNSUPPORTED where a projection is no
 *   nn.Linear, or is split over ranks
 */
export async function headWeights(model: LanguageModel, layer: number, head: number): Promise<HeadWeights> {
  const { numHiddenLayers, numAttentionHeads, headDim, hiddenSize } = model.config;
  const unknown = (message: string) => new PersimmonError("HEAD_UNKNOWN", `headWeights: ${message}`);
  const { whole } = optionChecks(unknown);
  whole("layer", layer, 0, numHiddenLayers - 1);
  whole("head", head, 0, numAttentionHeads - 1);
  const { queryKeyValue, dense } = model.layers[layer].selfAttn;
  expectPlain("queryKeyValue", queryKeyValue, [3 * hiddenSize, hiddenSize], layer);
  expectPlain("dense", dense, [hiddenSize, hiddenSize], layer);
  const first = 3 * headDim * head;
  const rows = Int32Array.from({ length: 3 * headDim }, (_, row) => first + row);
  // A lookup of rows gives float32 whatever the type, and reads no others.
  using qkv = scope(() => ops.embedding(queryKeyValue.weight, Tensor.from(model.device, rows)));
  using columns = scope(() => ops.slice(dense.weight.toFloat32(), 1, headDim * head, headDim * (head + 1)));
  const [inward, o, inwardBias, outwardBias] = await Promise.all([
    qkv.data(),
    columns.data(),
    queryKeyValue.bias?.data(),
    dense.bias?.data(),
  ]);
  const part = (index: number): WeightMatrix => ({
    data: inward.slice(index * headDim * hiddenSize, (index + 1) * headDim * hiddenSize),
    shape: [headDim, hiddenSize],
  });
  const bias = (index: number) => {
    const from = first + index * headDim;
    return inwardBias?.slice(from, from + headDim);
  };
  return {
    layer,
    head,
    q: part(0),
    k: part(1),
    v: part(2),
    o: { data: o, shape: [hiddenSize, headDim] },
    biases: { q: bias(0), k: bias(1), v: bias(2), o: outwardBias },
  };
}

function expectPlain(
  name: keyof Attention,
  module: unknown,
  shape: readonly number[],
  layer: number,
): asserts module is Linear {
  if (module instanceof Linear && module.weight.shape.join() === shape.join()) return;
  const found =
    module instanceof Linear ? `a weight of [${module.weight.shape.join(", ")}]` : "a module of another kind";
  throw new PersimmonError(
    "HEAD_WEIGHTS_UNSUPPORTED",
    `headWeights needs layers[${layer}].selfAttn.${name} to be an nn.Linear with a weight of [${shape.join(", ")}], got ${found} (${(module as object).constructor.name}); of a model that is split over ranks load a whole one`,
  );
}
