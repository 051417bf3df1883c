import * as ops from "../tensor/ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import { Module } from "./module.js";

/** Rows of a table by id. weight [vocabulary, hidden]; ids [tokens] int32 → [tokens, hidden]. */
export class Embedding extends Module {
  weight: Tensor;

  constructor(weight: Tensor) {
    super();
    this.weight = weight;
  }

  protected override forward(ids: Tensor): Tensor {
    return ops.embedding(this.weight, ids);
  }
}
