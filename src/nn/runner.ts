import type { Tensor } from "../tensor/tensor.js";

/** Where and when in a generation a value stands. */
export interface At {
  /** The site, or the path of the module. */
  site: string;
  /** Number of the layer; undefined outside of the layers. */
  layer: number | undefined;
  phase: "prefill" | "decode";
  /** 0 for the prompt, then 1, 2, … for each generated token. */
  step: number;
  /** Position in its text of each row, counted from the beginning of the text. */
  positions: readonly number[];
  /** Index in the batch of each row. */
  batch: readonly number[];
}

/** JavaScript on a value: fills `out` from `x`, both row-major. */
export type HostFunction = (
  x: Float32Array,
  out: Float32Array,
  shape: { rows: number; width: number },
  at: At,
) => void;

/** Who runs modules and JavaScript inside a forward pass; a recording of plans puts breaks there. */
export interface Runner {
  run<In extends unknown[], Out>(module: object, args: In, forward: (...args: In) => Out): Out;
  host(
    x: Tensor,
    f: HostFunction,
    about: { label: string; reason: string; width: number; site: string },
  ): Tensor;
}

let runner: Runner | undefined;

/** Runs `f` with `who` running the modules inside. */
export function withRunner<T>(who: Runner | undefined, f: () => T): T {
  const outer = runner;
  runner = who;
  try {
    return f();
  } finally {
    runner = outer;
  }
}

/** The runner of the pass that runs now. */
export function currentRunner(): Runner | undefined {
  return runner;
}
