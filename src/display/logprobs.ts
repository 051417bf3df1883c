import { escapeHtml } from "./html.js";
import type { MimeBundle } from "./mime.js";
import { percent } from "./numbers.js";
import { readablePiece, tokenText } from "./token_text.js";

/** A token with less than e^−8 ≈ 0.03 % has the full colour. */
const strongest = 8;
const orange = [213, 94, 0] as const;

/** The tokens of a text, the improbable ones on a stronger background; `values[i]` belongs to `pieces[i + 1]`. */
export function logprobBundle(pieces: readonly string[], values: Float32Array): MimeBundle {
  const total = values.reduce((sum, value) => sum + value, 0);
  const mean = total / Math.max(1, values.length);
  const summary = `${values.length} tokens, log-probability ${total.toFixed(2)} in all, ${mean.toFixed(3)} a token (perplexity ${Math.exp(-mean).toFixed(2)})`;
  const tokens = pieces.map((piece, at) => {
    if (at === 0) return { piece, amount: 0, hover: "the first token has none before it" };
    const value = values[at - 1];
    return {
      piece,
      amount: -value / strongest,
      hover: `log-probability ${value.toFixed(3)}, probability ${percent(Math.exp(value))}`,
    };
  });
  const most = 100;
  const lines = tokens
    .slice(1, most)
    .map(({ piece }, at) => `${values[at].toFixed(3).padStart(9)}  ${readablePiece(piece)}`);
  return {
    "text/html": `<div>${tokenText(tokens, orange)}<div style="color:#8A8F98">${escapeHtml(summary)}</div></div>`,
    "text/plain": [summary, ...lines, ...(tokens.length > most ? ["…"] : [])].join("\n"),
  };
}
