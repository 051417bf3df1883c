import type { Tokenizer } from "../../tokenizer/index.js";

/**
 * Pieces of a text as Adept's server shows them (`convert_generations_to_human_readable_tokens`): the text is encoded anew, so they
 * need not be the tokens that were drawn. A space stands for ▁, which is dropped at the beginning and after `<s>`.
 */
export function humanReadableTokens(tokenizer: Tokenizer, text: string): string[] {
  const tokens: string[] = [];
  for (const id of tokenizer.encode(text)) {
    const piece = tokenizer.pieceOf(id);
    const isFirst = tokens.length === 0 || tokens.at(-1) === "<s>";
    tokens.push((isFirst ? piece.replace(/^▁/, "") : piece).replaceAll("▁", " "));
  }
  return tokens;
}
