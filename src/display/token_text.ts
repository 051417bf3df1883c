import { escapeHtml } from "./html.js";

/** A token with a number that its background shows. */
export interface ColouredToken {
  /** As the tokenizer has it; `▁` stands for a space. */
  piece: string;
  /** From 0 (no colour) to 1 (full colour). */
  amount: number;
  /** Shown while the mouse is on it. */
  hover: string;
}

/**
 * Tokens as running text, each on a background as strong as its number. Plain HTML with inline styles, which JupyterLab
 * also shows in notebooks that it does not trust.
 * @param options `breakLines: false` keeps a text with new lines on one line; `label` stands before the text
 */
export function tokenText(
  tokens: readonly ColouredToken[],
  [red, green, blue]: readonly number[],
  options: { breakLines?: boolean; label?: string } = {},
): string {
  const spans = tokens.map(({ piece, amount, hover }) => {
    const share = Number.isFinite(amount) ? Math.min(1, Math.max(0, amount)) : 0;
    const mix = (part: number) => Math.round(255 + (part - 255) * share);
    const colour = `background-color:rgb(${mix(red)}, ${mix(green)}, ${mix(blue)});color:${share > 0.6 ? "#ffffff" : "#22272e"}`;
    // The space in front belongs to the token, but looks better without its colour.
    const [, space, text] = /^( ?)(.*)$/s.exec(readablePiece(piece)) ?? [];
    // A new line is shown as a sign, and breaks the line.
    const escaped = escapeHtml(text === "" ? " " : text);
    const shown = options.breakLines === false ? escaped : escaped.replaceAll("⏎", "⏎<br>");
    return `${text === "" ? "" : space}<span style="${colour};padding:1px 0" title="${escapeHtml(hover)}">${shown}</span>`;
  });
  const label =
    options.label === undefined ? "" : `<span style="color:#8A8F98">${escapeHtml(options.label)}  </span>`;
  return `<div style="line-height:1.9;max-width:820px;white-space:pre-wrap;font-size:14px">${label}${spans.join("<wbr>")}</div>`;
}

/** A piece as people read it: `▁` is a space, and a new line is visible. */
export function readablePiece(piece: string): string {
  return piece.replaceAll("▁", " ").replaceAll("<0x0A>", "⏎").replaceAll("\n", "⏎");
}
