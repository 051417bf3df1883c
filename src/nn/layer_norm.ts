import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** LayerNorm over the last axis, with the biased variance. weight and bias are as long as that axis. */
export class LayerNorm extends Module {
  weight: Tensor;
  bias: Tensor;
  epsilon: number;

  constructor(weight: Tensor, bias: Tensor, epsilon: number) {
    super();
    this.weight = weight;
    this.bias = bias;
    this.epsilon = epsilon;
  }

  protected override forward(x: Tensor): Tensor {
    return ops.layerNorm(x, this.weight, this.bias, this.epsilon);
  }
}
