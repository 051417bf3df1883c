/**
 * Finds stop texts in a growing text, across the borders of its pieces. Text that may still turn out to be the beginning
 * of a stop text is held back.
 */
export class StopTexts {
  private readonly stops: readonly string[];
  private text = "";

  constructor(stops: readonly string[]) {
    this.stops = stops;
  }

  /**
   * Adds a piece.
   * @returns `end`: where the stop text that was complete first begins (of several, the longest), if one has come, however
   * the text was cut into pieces; `safe`: how far the text cannot be part of one
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
    return { end, safe };
  }

  /** Length of the longest end of the text that is a proper beginning of `stop`. */
  private overlap(stop: string): number {
    for (let length = Math.min(stop.length - 1, this.text.length); length > 0; length--) {
      if (this.text.endsWith(stop.slice(0, length))) return length;
    }
    return 0;
  }
}
