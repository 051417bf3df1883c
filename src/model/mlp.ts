import type { Linear } from "../nn/linear.js";
import { Module } from "../nn/module.js";
import { tap } from "../nn/tap.js";
import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";

// See DecoderLayer for why there is an interface.
export interface MLP {
  /** hidden → intermediate */
  get denseHTo4h(): Linear;
  set denseHTo4h(module: Module);
  /** intermediate → hidden */
  get dense4hToH(): Linear;
  set dense4hToH(module: Module);
}

/** relu(x · W₁ᵀ + b₁)² · W₂ᵀ + b₂. About nine in ten of the squared ReLUs of Persimmon-8B are said to be zero. */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor sets all properties of the interface
export class MLP extends Module {
  constructor(denseHTo4h: Module, dense4hToH: Module) {
    super();
    this.denseHTo4h = denseHTo4h;
    this.dense4hToH = dense4hToH;
  }

  protected override forward(x: Tensor): Tensor {
    const pre = tap("pre", this.denseHTo4h.call(x)); // [tokens, intermediate]
    const act = tap("act", ops.reluSquared(pre)); // [tokens, intermediate]
    return this.dense4hToH.call(act); // [tokens, hidden]
  }
}
