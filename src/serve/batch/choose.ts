import { choiceInPlan } from "../../generation/choice.js";
import type { TokenChoice } from "../../runtime/token_plan.js";
import * as ops from "../../tensor/ops/index.js";
import { Tensor } from "../../tensor/tensor.js";
import type { Row } from "./row.js";
import { scoreTokens, type TokenScore } from "./scores.js";

/** A row of a batch, and which row of the logits its next token is drawn from. */
export interface Chooser {
  row: Row;
  at: number;
}

/** The next token of a row, and how probable it was for who asks. */
export interface ChosenToken {
  id: number;
  score: TokenScore | undefined;
}

/**
 * Draws the next token of each row. Rows differ in how they draw, so those with the same settings are drawn together; each
 * has random numbers of its own.
 * @param logits [rows, vocabulary]
 * @returns as many as there are choosers, in their order
 */
export async function chooseTokens(logits: Tensor, choosers: readonly Chooser[]): Promise<ChosenToken[]> {
  const groups = new Map<string, [index: number, chooser: Chooser][]>();
  for (const entry of choosers.entries()) {
    const settings = settingsOf(entry[1].row);
    groups.set(settings, [...(groups.get(settings) ?? []), entry]);
  }
  const chosen: ChosenToken[] = [];
  for (const group of groups.values()) {
    const rows = group.map(([, { row }]) => row);
    using own = pick(
      logits,
      group.map(([, { at }]) => at),
    );
    using next = draw(own, rows);
    const ids = await next.integers();
    const tops = rows.flatMap(({ request }) => request.top ?? []);
    const scores = tops.length > 0 ? await scoreTokens(own, next, Math.max(...tops)) : [];
    for (const [number, [index, { row }]] of group.entries()) {
      const { top } = row.request;
      const score = scores[number];
      chosen[index] = {
        id: ids[number],
        score: top === undefined ? undefined : { ...score, top: score.top.slice(0, top) },
      };
    }
  }
  return chosen;
}

/**
 * How all rows draw, as a plan can do it by itself: where they have the same settings, and nobody asks for the most likely
 * tokens, too.
 */
export function sharedChoice(rows: readonly Row[]): TokenChoice | undefined {
  const [first, ...others] = rows;
  const settings = settingsOf(first);
  if (others.some((row) => settingsOf(row) !== settings)) return undefined;
  const tops = rows.map(({ request: { top } }) => top ?? 0);
  if (tops.some((top) => top > 0)) return undefined;
  const logprobs = rows.some(({ request: { top } }) => top !== undefined);
  return choiceInPlan({ ...first.request, logprobs });
}

function settingsOf({ request: { temperature, topK, topP } }: Row): string {
  return temperature === 0 ? "greedy" : `${temperature} ${topK} ${topP}`;
}

/** A copy of some rows. */
function pick(logits: Tensor, rows: readonly number[]): Tensor {
  using indices = Tensor.from(logits.device, Int32Array.from(rows));
  return ops.embedding(logits, indices);
}

function draw(logits: Tensor, rows: readonly Row[]): Tensor {
  const { temperature, topK, topP } = rows[0].request;
  if (temperature === 0) return ops.argmax(logits);
  const uniform = Float64Array.from(rows, ({ random }) => random.next());
  return ops.sample(logits, { temperature, topK, topP }, uniform);
}
