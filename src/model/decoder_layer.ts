import type { LayerNorm } from "../nn/layer_norm.js";
import { Module } from "../nn/module.js";
import { tap } from "../nn/tap.js";
import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Attention } from "./attention.js";
import type { MLP } from "./mlp.js";

/** What takes the place of attention: normed hidden states and the cache in, hidden states out. */
type AttentionRole = Module<[x: Tensor, cache: ops.LayerCache]>;

// Interface and class are one type: an interface can say that a child is read as what the model was built with and
// assigned as any module of its role. At run time a child is an ordinary property, which the constructor sets.
export interface DecoderLayer {
  get inputLayernorm(): LayerNorm;
  set inputLayernorm(module: Module);
  get selfAttn(): Attention;
  set selfAttn(module: AttentionRole);
  get postAttentionLayernorm(): LayerNorm;
  set postAttentionLayernorm(module: Module);
  get mlp(): MLP;
  set mlp(module: Module);
}

/** One layer: attention and MLP, each on the LayerNorm of the residual stream and added back to it. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor sets all properties of the interface
export class DecoderLayer extends Module<[x: Tensor, cache: ops.LayerCache]> {
  constructor(parts: {
    inputLayernorm: Module;
    selfAttn: AttentionRole;
    postAttentionLayernorm: Module;
    mlp: Module;
  }) {
    super();
    this.inputLayernorm = parts.inputLayernorm;
    this.selfAttn = parts.selfAttn;
    this.postAttentionLayernorm = parts.postAttentionLayernorm;
    this.mlp = parts.mlp;
  }

  protected override forward(input: Tensor, cache: ops.LayerCache): Tensor {
    const x = tap("in", input); // [tokens, hidden], as all below
    const attention = tap("attn.out", this.selfAttn.call(this.inputLayernorm.call(x), cache));
    const mid = tap("mid", ops.add(x, attention));
    const normed = tap("mlp.in", this.postAttentionLayernorm.call(mid));
    return tap("out", ops.add(mid, tap("mlp.out", this.mlp.call(normed))));
  }
}
