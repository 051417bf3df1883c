/** What is as wide as two Latin characters: emoji, Chinese, Japanese and Korean. */
const wide =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u;

/** The width of a text in columns of a terminal. */
export function terminalWidth(text: string): number {
  return [...text].reduce((sum, character) => sum + (wide.test(character) ? 2 : 1), 0);
}

/**
 * Widths of characters in their font size: those of DejaVu Sans, rounded up. Of the fonts that a figure may be drawn in it is
 * the broadest, so a text that fits by these widths fits in all of them.
 */
const widths: readonly [characters: RegExp, width: number][] = [
  [wide, 1.1],
  [/[ijl'|.,:;! ]/, 0.34],
  [/[frt()[\]{}/\\"*-]/, 0.46],
  [/[mwMW%@…→←−±×≤≥—]/, 1],
  [/\p{Lu}/u, 0.79],
];

/** A bound on the width of a text in a figure, in its font size. */
export function figureWidth(text: string): number {
  return [...text].reduce(
    (sum, character) => sum + (widths.find(([characters]) => characters.test(character))?.[1] ?? 0.64),
    0,
  );
}
