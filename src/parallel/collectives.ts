import { PersimmonError } from "../errors.js";
import { native } from "../native.js";
import { currentRunner } from "../nn/runner.js";
import type { TokenChoice } from "../runtime/token_plan.js";
import * as ops from "../tensor/ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import type { Rank } from "./rank_group.js";
import { partOf } from "./split.js";

/** The sum of what all ranks give, added in the order of ranks: the same bits everywhere. float32 of any shape. */
export function allReduce(x: Tensor, { communicator }: Rank): Tensor {
  expectPass();
  const out = Tensor.empty(x.device, x.shape);
  native().allReduce(x.device.stream, out.buffer, x.buffer, x.size, communicator);
  return out;
}

/**
 * What all ranks have, side by side.
 * @param x [rows, part, …], the rank's part of the second axis
 * @param total the whole of that axis
 * @returns [rows, total, …]
 */
export function allGather(x: Tensor, total: number, { communicator }: Rank): Tensor {
  expectPass();
  const [rows, , ...rest] = x.shape;
  const out = Tensor.empty(x.device, [rows, total, ...rest]);
  const each = rest.reduce((product, size) => product * size, 1);
  // Where there are further axes the parts are equal: only the vocabulary may have others, and it has none.
  native().allGather(x.device.stream, out.buffer, x.buffer, rows, total * each, communicator);
  return out;
}

/** The rank's part of the second axis of x [rows, total, …]. */
export function ownPart(x: Tensor, { number, ranks }: Rank): Tensor {
  const { first, count } = partOf(x.shape[1], number, ranks);
  return ops.slice(x, 1, first, first + count);
}

/** The value that rank 0 has, on all ranks. */
export function broadcast(x: Tensor, rank: Rank): Tensor {
  expectPass();
  return ofFirstRank(x, rank);
}

/** The same behind the modules of a pass. */
function ofFirstRank(x: Tensor, { communicator }: Rank): Tensor {
  const out = Tensor.empty(x.device, x.shape, x.dtype);
  native().broadcast(x.device.stream, out.buffer, x.buffer, 0, communicator);
  return out;
}

/** Tokens that rank 0 has chosen, on all ranks. What they would choose themselves should be the same, but nothing would tell. */
export function sharedChoice(choice: TokenChoice, rank: Rank): TokenChoice {
  return {
    signature: choice.signature,
    choose: (logits, random) => {
      const { ids, logprobs } = choice.choose(logits, random);
      return { ids: ofFirstRank(ids, rank), logprobs };
    },
  };
}

/** Outside of a pass the other ranks would not come. */
function expectPass(): void {
  if (currentRunner() !== undefined) return;
  throw new PersimmonError(
    "OUTSIDE_OF_PASS",
    "this module is split over ranks, which run together in a forward pass of the whole model only: load the model with tensorParallel: 1 to call a module by itself",
  );
}
