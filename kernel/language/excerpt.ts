// A longer line is shown in part, around the place that is meant.
const MAX_WIDTH = 160;

/**
 * A line of source with its number, and below it a mark under the place that is meant.
 * @param column counts from 1, in UTF-16 units
 * @param mark what stands below, such as `^` or `~~~~`
 */
export function excerpt(text: string, line: number, column: number, mark: string): string {
  const clean = text.replace(/\r$/, "");
  const at = Math.min(column - 1, clean.length);
  const from = at > MAX_WIDTH / 2 && clean.length > MAX_WIDTH ? at - MAX_WIDTH / 2 : 0;
  const shown = clean.slice(from, from + MAX_WIDTH);
  const before = from > 0 ? "…" : "";
  const after = clean.length > from + MAX_WIDTH ? "…" : "";
  const gutter = " ".repeat(String(line).length);
  // A tab stays one, so that the mark stands where the reader sees the place.
  const indent = before.replace(/./, " ") + shown.slice(0, at - from).replace(/[^\t]/g, " ");
  const length = Math.max(1, Math.min(mark.length, shown.length - (at - from)));
  return `${line} | ${before}${shown}${after}\n${gutter} | ${indent}${mark.slice(0, length)}`;
}
