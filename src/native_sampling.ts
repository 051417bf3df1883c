import type { NativeBuffer, NativeStream } from "./native.js";

type Draw = [
  stream: NativeStream,
  out: NativeBuffer,
  logits: NativeBuffer,
  rows: number,
  width: number,
  temperature: number,
  topK: number,
  topP: number,
];

/** What the addon has for the choice of tokens. `src/native.ts` loads it. */
export interface SamplingAddon {
  argmax(stream: NativeStream, out: NativeBuffer, x: NativeBuffer, rows: number, width: number): void;
  /** One draw a row, in the order temperature, top-k, top-p; `uniform` holds a number in [0, 1) for each row. */
  sample(...draw: [...Draw, uniform: Float64Array]): void;
  /** As `sample`, with the number that the generator of each row makes next; `random` [rows, 4], see native/cpu/row_advance.h. */
  sampleSeeded(...draw: [...Draw, random: NativeBuffer]): void;
  /**
   * ids = chosen, positions += 1, each generator of `random` [rows, 4] one draw further, results [2, rows] = chosen and the bits of
   * its log-probability.
   */
  advance(
    stream: NativeStream,
    ids: NativeBuffer,
    positions: NativeBuffer,
    random: NativeBuffer | null,
    results: NativeBuffer,
    chosen: NativeBuffer,
    logprobs: NativeBuffer | null,
    rows: number,
  ): void;
  gatherLogProbability(
    stream: NativeStream,
    out: NativeBuffer,
    logits: NativeBuffer,
    ids: NativeBuffer,
    rows: number,
    width: number,
  ): void;
}
