import { native } from "../native.js";
import { Embedding } from "../nn/embedding.js";
import { Linear } from "../nn/linear.js";
import * as ops from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import { allGather, allReduce } from "./collectives.js";
import type { Rank } from "./rank_group.js";
import { partOf } from "./split.js";

/**
 * y = x · weightᵀ + bias where each rank has some of the inputs: the products are summed over the ranks, and the bias is added
 * once. weight [outFeatures, part of inFeatures], x [rows, part of inFeatures], bias [outFeatures] float32.
 */
export class InputSplitLinear extends Linear {
  readonly rank: Rank;

  constructor(weight: Tensor, bias: Tensor | undefined, rank: Rank) {
    super(weight, bias);
    this.rank = rank;
  }

  protected override forward(x: Tensor): Tensor {
    const sum = allReduce(ops.linear(x, this.weight), this.rank);
    return this.bias === undefined ? sum : ops.add(sum, this.bias);
  }
}

/** A head where each rank has some of the tokens; the logits of all are put together. weight [part of vocabulary, hidden]. */
export class OutputSplitHead extends Linear {
  readonly vocabulary: number;
  readonly rank: Rank;

  constructor(weight: Tensor, bias: Tensor | undefined, vocabulary: number, rank: Rank) {
    super(weight, bias);
    this.vocabulary = vocabulary;
    this.rank = rank;
  }

  protected override forward(x: Tensor): Tensor {
    return allGather(ops.linear(x, this.weight, this.bias), this.vocabulary, this.rank);
  }
}

/** Rows of a table by id where each rank has some of the rows: the others add zeros. weight [part of vocabulary, hidden]. */
export class SplitEmbedding extends Embedding {
  readonly first: number;
  readonly rank: Rank;

  constructor(weight: Tensor, vocabulary: number, rank: Rank) {
    super(weight);
    this.first = partOf(vocabulary, rank.number, rank.ranks).first;
    this.rank = rank;
  }

  protected override forward(ids: Tensor): Tensor {
    const { device } = ids;
    const [rows, hidden] = this.weight.shape;
    const [tokens] = ids.shape;
    const own = Tensor.empty(device, [tokens], "int32");
    native().idsOfPart(device.stream, own.buffer, ids.buffer, tokens, this.first, rows);
    const found = ops.embedding(this.weight, own);
    const cleared = Tensor.empty(device, [tokens, hidden]);
    native().clearRows(device.stream, cleared.buffer, found.buffer, own.buffer, tokens, hidden);
    return allReduce(cleared, this.rank);
  }
}
