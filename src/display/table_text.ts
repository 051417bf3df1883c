import { type Frame, shownPart } from "./table_cells.js";
import { terminalWidth } from "./text_width.js";

/**
 * The table as text, for terminals and for pages without HTML: numbers on the right, texts on the left, every name and
 * number whole. Columns are as wide as they need to be, unlike those of danfojs, which cut the exponent off a number.
 */
export function tableText(frame: Frame): string {
  const { names, rows, isNumeric, note } = shownPart(frame, 60);
  const lines = [names, ...rows].map((cells) => cells.map(onOneLine));
  const widths = names.map((_, at) => Math.max(...lines.map((cells) => terminalWidth(cells[at]))));
  const [head, ...body] = lines.map((cells) =>
    cells
      .map((text, at) => {
        const space = " ".repeat(widths[at] - terminalWidth(text));
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
