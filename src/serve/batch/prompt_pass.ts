import { prefillChunk } from "../../runtime/prefill.js";
import type { Runtime } from "../../runtime/runtime.js";
import { scope } from "../../tensor/scope.js";
import { Tensor } from "../../tensor/tensor.js";
import { type Chooser, chooseTokens } from "./choose.js";
import type { Row } from "./row.js";
import { scoreTokens } from "./scores.js";

/** Tokens of prompts in a pass while other texts are being decoded, which wait for it. */
const chunkBetweenSteps = 128;

/** Logits that a pass may hold for scores of prompts: 64 MB. */
const mostLogits = 2 ** 24;

/** Which tokens of a prompt a pass takes. */
interface Part {
  row: Row;
  start: number;
  count: number;
}

/**
 * Runs the next tokens of prompts, of the first rows first, and draws the first token of those that are complete.
 * @param othersWait whether texts are being decoded, too
 */
export async function promptPass(runtime: Runtime, rows: readonly Row[], othersWait: boolean): Promise<void> {
  const parts = partsOf(rows, othersWait ? chunkBetweenSteps : prefillChunk, runtime.model.config.vocabSize);
  using logits = await runtime.forward(
    parts.map(({ row, start, count }) => ({
      // A row gets its sequence when it is admitted.
      sequence: row.sequence!,
      ids: row.request.prompt.slice(start, start + count),
      logits: row.request.scorePrompt ? "all" : "last",
    })),
  );
  // Reading one number waits for the pass, so that an aborted request finds at most one under way.
  using first = scope(() => logits.reshape([logits.size]).rows(0, 1));
  await first.data();
  const choosers: Chooser[] = [];
  let at = 0;
  for (const { row, start, count } of parts) {
    const logitRows = row.request.scorePrompt ? count : 1;
    if (row.request.scorePrompt) await scorePart(logits, row, start, count, at);
    at += logitRows;
    row.known = start + count;
    if (row.isPrefilled) choosers.push({ row, at: at - 1 });
  }
  for (const { row } of choosers) row.promptDone();
  const unfinished = choosers.filter(({ row }) => !row.isFinished);
  if (unfinished.length === 0) return;
  const chosen = await chooseTokens(logits, unfinished);
  for (const [index, { id, score }] of chosen.entries()) unfinished[index].row.push(id, score);
}

function partsOf(rows: readonly Row[], most: number, vocabSize: number): Part[] {
  let room = most;
  let logits = Math.max(1, Math.floor(mostLogits / vocabSize));
  const parts: Part[] = [];
  for (const row of rows) {
    const { prompt, scorePrompt } = row.request;
    const count = Math.min(prompt.length - row.known, room, scorePrompt ? logits : room);
    if (count === 0) continue;
    parts.push({ row, start: row.known, count });
    room -= count;
    if (scorePrompt) logits -= count;
  }
  return parts;
}

/** @param at where the logits of the part begin */
async function scorePart(logits: Tensor, row: Row, start: number, count: number, at: number): Promise<void> {
  const { prompt, top } = row.request;
  // The last token of the prompt predicts what is not there yet.
  const targets = prompt.slice(start + 1, start + count + 1);
  if (targets.length === 0) return;
  using own = logits.rows(at, at + targets.length);
  using next = Tensor.from(logits.device, Int32Array.from(targets));
  row.addPromptScores(await scoreTokens(own, next, top ?? 0));
}
