import type { LayerCache } from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";

/** What one forward pass works on: a flat batch of tokens of one or several sequences. */
export interface Step {
  /** [tokens] int32 */
  readonly ids: Tensor;
  /** Rows whose logits are wanted, [rows] int32; undefined for all. */
  readonly logitRows: Tensor | undefined;
  /** The keys and values of a layer, with the tokens' positions in them. */
  cache(layer: number): LayerCache;
}
