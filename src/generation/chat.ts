import { PersimmonError, valueText } from "../errors.js";

/** One exchange of a conversation; the last one has no answer yet. */
export interface ChatTurn {
  human: string;
  adept?: string;
}

/**
 * The prompt format of Persimmon-8B-chat (Adept's README and api.py): `human: …`, an empty line, `adept:`, without a
 * space at the end. Earlier turns come before it with their answers. Throws `PROMPT_INVALID`.
 */
export function chatPrompt(turns: string | readonly ChatTurn[]): string {
  const list = typeof turns === "string" ? [{ human: turns }] : turns;
  checkTurns(list);
  return list
    .map(({ human, adept }: ChatTurn) => {
      const question = `human: ${human.trim()}\n\nadept:`;
      return adept === undefined ? question : `${question} ${adept.trim()}\n\n`;
    })
    .join("");
}

function checkTurns(turns: unknown): void {
  if (!Array.isArray(turns)) {
    throw new PersimmonError(
      "PROMPT_INVALID",
      `chatPrompt takes a question or a list of turns, got ${valueText(turns)}`,
    );
  }
  for (const [index, turn] of turns.entries()) {
    const { human, adept } = Object(turn) as Record<string, unknown>;
    if (typeof human === "string" && (adept === undefined || typeof adept === "string")) continue;
    throw new PersimmonError(
      "PROMPT_INVALID",
      `chatPrompt: turn ${index} must be { human: "…" }, with the answer as a text in adept if there is one, got ${valueText(turn)}`,
    );
  }
}

/** What ends an answer besides the EOS token: the model beginning the next question itself. */
export const chatStop = "\n\nhuman:";
