/** One exchange of a conversation; the last one has no answer yet. */
export interface ChatTurn {
  human: string;
  adept?: string;
}

/**
 * The prompt format of Persimmon-8B-chat (Adept's README and api.py): `human: …`, an empty line, `adept:`, without a
 * space at the end. Earlier turns come before it with their answers.
 */
export function chatPrompt(turns: string | readonly ChatTurn[]): string {
  const list = typeof turns === "string" ? [{ human: turns }] : turns;
  return list
    .map(({ human, adept }: ChatTurn) => {
      const question = `human: ${human.trim()}\n\nadept:`;
      return adept === undefined ? question : `${question} ${adept.trim()}\n\n`;
    })
    .join("");
}

/** What ends an answer besides the EOS token: the model beginning the next question itself. */
export const chatStop = "\n\nhuman:";
