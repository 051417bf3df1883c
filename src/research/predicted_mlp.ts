import { PersimmonError } from "../errors.js";
import type { MLP } from "../model/mlp.js";
import { Linear } from "../nn/linear.js";
import { Module } from "../nn/module.js";
import { tap } from "../nn/tap.js";
import * as ops from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * An MLP that asks an int4 copy of its up projection which squared ReLUs will be zero, and reads the rows of the others
 * only. What the copy takes for zero is zero at the sites `pre` and `act`.
 */
export class PredictedMlp extends Module {
  readonly denseHTo4h: Linear;
  readonly dense4hToH: Module;
  /** [intermediate, hidden] in int4 */
  readonly copy: Tensor;
  /** The bias without the threshold, so that the copy's product is above zero where a row is to be read. [intermediate] */
  readonly gateBias: Tensor;

  constructor(mlp: MLP, copy: Tensor, gateBias: Tensor) {
    super();
    this.denseHTo4h = mlp.denseHTo4h;
    this.dense4hToH = mlp.dense4hToH;
    this.copy = copy;
    this.gateBias = gateBias;
  }

  protected override forward(x: Tensor): Tensor {
    const { weight, bias } = this.denseHTo4h;
    const gate = ops.linear(x, this.copy, this.gateBias); // [tokens, intermediate]
    const pre = tap("pre", ops.linearWhere(x, weight, bias, gate)); // [tokens, intermediate]
    const act = tap("act", ops.reluSquared(pre)); // [tokens, intermediate]
    return this.dense4hToH.call(act); // [tokens, hidden]
  }

  /** Frees what was made for the prediction. */
  release(): void {
    this.copy.release();
    this.gateBias.release();
  }
}

/** The up projection's copy that predicts: 4.5 bits a weight instead of 16. */
export function smallCopy(up: Linear): Tensor {
  return up.weight.toInt4().keep();
}

/**
 * The MLP of a layer, if its zeros can be predicted.
 * @throws PersimmonError ZERO_PREDICTION_UNSUPPORTED
 */
export function predictable(mlp: unknown, layer: number): MLP & { denseHTo4h: Linear & { bias: Tensor } } {
  const refuse = (why: string) =>
    new PersimmonError(
      "ZERO_PREDICTION_UNSUPPORTED",
      `layers.${layer}.mlp: zeros cannot be predicted: ${why}`,
    );
  if (mlp instanceof PredictedMlp) throw refuse("a predictor is in force already; dispose of it first");
  const up = (mlp as Partial<MLP> | undefined)?.denseHTo4h;
  if (!(up instanceof Linear) || !(up.weight instanceof Tensor) || !(up.bias instanceof Tensor))
    throw refuse("expected an MLP whose denseHTo4h is a Linear with a bias, found another module");
  const { weight } = up;
  if (weight.dtype !== "bfloat16" && weight.dtype !== "float32") {
    throw refuse(
      `the up projection is ${weight.dtype}, whose rows lie together in tiles and cannot be left out one by one; load the model with dtype "bfloat16" or "float32"`,
    );
  }
  if (weight.isColumnMajor)
    throw refuse("the up projection is column-major, whose rows are not in one piece");
  if (weight.shape[1] % 32 !== 0)
    throw refuse(`int4 needs rows of a multiple of 32 weights, these have ${weight.shape[1]}`);
  return mlp as MLP & { denseHTo4h: Linear & { bias: Tensor } };
}
