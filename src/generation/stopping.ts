/** A text, or a pattern for what ends an answer. */
export type Stop = string | RegExp;

/**
 * Finds stop texts and stop patterns in a growing text, across the borders of its pieces. Text that may still be cut is held
 * back:
 *
 * - for a text, what may turn out to be its beginning;
 * - for patterns, the last line, with the line break and the empty lines before it. A match that begins further up still
 *   ends the text there, but what was handed out cannot be called back.
 *
 * A pattern is tried on the text so far after every character, so where the text ends does not depend on how it was cut into
 * pieces. What comes next is not known at that moment: `/\n(?=\S)/` waits for a character that is not a space, while
 * `/\n(?!\s)/` is fulfilled by the line break alone.
 */
export class StopTexts {
  private readonly stops: readonly string[];
  private readonly patterns: readonly RegExp[];
  private text = "";

  constructor(stops: readonly Stop[]) {
    this.stops = stops.filter((stop) => typeof stop === "string");
    this.patterns = stops.filter((stop) => typeof stop !== "string");
  }

  /**
   * Adds a piece.
   * @returns `end`: where the stop that was complete first begins (of several, the longest), if one has come, however the
   * text was cut into pieces; `safe`: how far the text cannot be part of one
   */
  push(piece: string): { end: number | undefined; safe: number } {
    const before = this.text.length;
    this.text += piece;
    let end: number | undefined;
    let complete = Number.POSITIVE_INFINITY;
    let safe = this.text.length;
    for (const stop of this.stops) {
      // A stop text that was not there before must end inside the new piece.
      const at = this.text.indexOf(stop, Math.max(0, before - stop.length + 1));
      const completeAt = at + stop.length;
      if (at >= 0 && (completeAt < complete || (completeAt === complete && at < (end as number)))) {
        end = at;
        complete = completeAt;
      }
      safe = Math.min(safe, this.text.length - this.overlap(stop));
    }
    if (this.patterns.length === 0) return { end, safe };
    const found = this.firstMatch(before, Math.min(complete, this.text.length));
    if (found !== undefined && (found.completeAt < complete || found.at < (end as number))) end = found.at;
    return { end, safe: Math.min(safe, this.lastLine()) };
  }

  /** The first character of the new piece, up to `most`, after which a pattern matches, and where the match begins. */
  private firstMatch(before: number, most: number): { at: number; completeAt: number } | undefined {
    let length = before;
    for (const character of this.text.slice(before)) {
      length += character.length;
      if (length > most) break;
      const soFar = this.text.slice(0, length);
      const starts = this.patterns.map((pattern) => soFar.search(pattern)).filter((at) => at >= 0);
      if (starts.length > 0) return { at: Math.min(...starts), completeAt: length };
    }
    return undefined;
  }

  /** Where the last line begins, with the line break and the empty lines before it. */
  private lastLine(): number {
    const at = this.text.lastIndexOf("\n");
    return at < 0 ? 0 : this.text.slice(0, at).trimEnd().length;
  }

  /** Length of the longest end of the text that is a proper beginning of `stop`. */
  private overlap(stop: string): number {
    for (let length = Math.min(stop.length - 1, this.text.length); length > 0; length--) {
      if (this.text.endsWith(stop.slice(0, length))) return length;
    }
    return 0;
  }
}
