import { Module } from "../nn/module.js";
import { tap } from "../nn/tap.js";
import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";

/** One layer: attention and MLP, each on the LayerNorm of the residual stream and added back to it. */
export class DecoderLayer extends Module<[x: Tensor, cache: ops.LayerCache]> {
  inputLayernorm: Module;
  selfAttn: Module<[x: Tensor, cache: ops.LayerCache]>;
  postAttentionLayernorm: Module;
  mlp: Module;

  constructor(parts: {
    inputLayernorm: Module;
    selfAttn: Module<[x: Tensor, cache: ops.LayerCache]>;
    postAttentionLayernorm: Module;
    mlp: Module;
  }) {
    super();
    this.inputLayernorm = parts.inputLayernorm;
    this.selfAttn = parts.selfAttn;
    this.postAttentionLayernorm = parts.postAttentionLayernorm;
    this.mlp = parts.mlp;
  }

  protected override forward(x: Tensor, cache: ops.LayerCache): Tensor {
    tap("in", x); // [tokens, hidden], as all below
    const attention = tap("attn.out", this.selfAttn.call(this.inputLayernorm.call(x), cache));
    const mid = tap("mid", ops.add(x, attention));
    const normed = tap("mlp.in", this.postAttentionLayernorm.call(mid));
    return tap("out", ops.add(mid, tap("mlp.out", this.mlp.call(normed))));
  }
}
