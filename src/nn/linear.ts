import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** y = x · weightᵀ + bias. weight [outFeatures, inFeatures], bias [outFeatures] or none. */
export class Linear extends Module {
  weight: Tensor;
  bias: Tensor | undefined;

  constructor(weight: Tensor, bias?: Tensor) {
    super();
    this.weight = weight;
    this.bias = bias;
  }

  protected override forward(x: Tensor): Tensor {
    return ops.linear(x, this.weight, this.bias);
  }
}
