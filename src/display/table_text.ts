import { type Frame, shownPart } from "./table_cells.js";

/**
 * The table as text, for terminals and for pages without HTML: numbers on the right, texts on the left, every name and
 * number whole. Columns are as wide as they need to be, unlike those of danfojs, which cut the exponent off a number.
 */
export function tableText(frame: Frame): string {
  const { names, rows, isNumeric, note } = shownPart(frame, 60);
  const lines = [names, ...rows].map((cells) => cells.map(onOneLine));
  const widths = names.map((_, at) => Math.max(...lines.map((cells) => lengthOf(cells[at]))));
  const [head, ...body] = lines.map((cells) =>
    cells
      .map((text, at) => {
        const space = " ".repeat(widths[at] - lengthOf(text));
        return isNumeric[at] ? space + text : text + space;
      })
      .join("  ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [head, rule, ...body, ...(note === undefined ? [] : [note])].join("\n");
}

/** A new line inside a cell would break the row. */
function onOneLine(text: string): string {
  return text.replace(/\r\n|\r|\n/g, "⏎").replaceAll("\t", " ");
}

/** What takes two columns of a terminal: emoji, Chinese, Japanese and Korean. */
const wide =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/u;

/** In columns of a terminal. */
function lengthOf(text: string): number {
  return [...text].reduce((sum, character) => sum + (wide.test(character) ? 2 : 1), 0);
}
