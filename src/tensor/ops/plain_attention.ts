import { PersimmonError } from "../../errors.js";
import { native } from "../../native.js";
import { Tensor } from "../tensor.js";
import { expectNumber, expectTensor } from "./check.js";

/**
 * softmax(scale · q · kᵀ) · v for each head (Vaswani et al. 2017, "Attention Is All You Need"), over the given keys and
 * values and without a cache. Causal attention gives the bits of `attentionPattern` and `attentionValues` for the same
 * q, k and v.
 * @param q [tokens, heads, headDim]
 * @param k [keys, heads, headDim]; at least one key, and as many as tokens where `causal`, else `SHAPE_MISMATCH`
 * @param v like k
 * @param options `causal`: token i sees keys 0 … i only; `scale`: 1 / sqrt(headDim) by default
 * @returns [tokens, heads, headDim]
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: { causal: boolean; scale?: number },
): Tensor {
  const causal: unknown = options?.causal;
  if (typeof causal !== "boolean") {
    throw new PersimmonError(
      "ARGUMENT_INVALID",
      `ops.attention: causal must be true or false, got ${String(causal)}`,
    );
  }
  expectTensor("attention", "q", q, [undefined, undefined, undefined]);
  const [tokens, heads, headDim] = q.shape;
  expectTensor("attention", "k", k, [causal ? tokens : undefined, heads, headDim]);
  expectTensor("attention", "v", v, k.shape);
  const [keys] = k.shape;
  if (tokens > 0 && keys === 0) {
    throw new PersimmonError("SHAPE_MISMATCH", "ops.attention: k must have at least one key");
  }
  // In float32 like the kernels of the model, whose bits this gives.
  const scale = options.scale ?? 1 / Math.fround(Math.sqrt(Math.max(headDim, 1)));
  expectNumber("attention", "scale", scale);
  const z = Tensor.empty(q.device, q.shape);
  const { stream } = q.device;
  const sizes = [tokens, keys, heads, headDim] as const;
  native().attention(stream, z.buffer, q.buffer, k.buffer, v.buffer, ...sizes, scale, causal ? 1 : 0);
  return z;
}
