/** Frames of Node itself say nothing about the user's code. */
const INTERNAL_FRAME = /^\s+at .*(\(node:|node:internal|\(<anonymous>\)$)/;
const FRAME = /^\s+at /;
/** A place in a cell or a local TypeScript file, as a stack shows it: `at f (Cell 2:3:4)`, `at async Cell 2:3:4`. */
const USER_FRAME = /^\s+at (?:.* \()?(?:async )?(Cell \d+|Expression|\S.*?\.[cm]?tsx?):(\d+):(\d+)\)?$/;
const MAX_REPEATS = 3;

/** The stack of an error: lines that show frames, and what Node put before the message (the line of a syntax error). */
export interface Frames {
  before: string;
  frames: string[];
}

/**
 * The frames of an error that say something about the user's code, completed by the awaits that it came through.
 * @param awaits places such as `Cell 2:3:1`, innermost first
 */
export function framesOf(error: object, awaits: readonly string[]): Frames {
  const lines = stackOf(error).split("\n");
  const first = firstFrame(lines, error);
  const head = lines.slice(0, first < 0 ? undefined : first);
  const frames = withoutRepeats(
    lines
      .slice(first < 0 ? lines.length : first)
      .filter((line) => FRAME.test(line) && !INTERNAL_FRAME.test(line)),
  );
  const shown = new Set(frames.map(lineOf));
  for (const place of awaits) {
    const frame = `    at async ${place}`;
    if (!shown.has(lineOf(frame))) frames.push(frame);
  }
  return { before: sourceBefore(head), frames };
}

/** The innermost place of user code. */
export function firstPlace(
  frames: readonly string[],
): { label: string; line: number; column: number } | undefined {
  for (const frame of frames) {
    const match = USER_FRAME.exec(frame);
    if (match) return { label: match[1]!, line: Number(match[2]), column: Number(match[3]) };
  }
  return undefined;
}

/** The stack of an error as text, empty for anything else; its getter may throw. */
export function stackOf(error: unknown): string {
  try {
    const { stack } = error as { stack?: unknown };
    return typeof stack === "string" ? stack : "";
  } catch {
    return "";
  }
}

/** The index of the first frame, behind the message, which may itself look like frames. */
function firstFrame(lines: readonly string[], error: object): number {
  let from = 0;
  try {
    const { message } = error as { message?: unknown };
    const at = typeof message === "string" && message ? lines.join("\n").indexOf(message) : -1;
    if (at >= 0)
      from = lines
        .join("\n")
        .slice(0, at + (message as string).length)
        .split("\n").length;
  } catch {
    // A getter that throws: the first line that looks like a frame is one.
  }
  const index = lines.slice(from).findIndex((line) => FRAME.test(line));
  return index < 0 ? -1 : from + index;
}

/** Node puts the file, the line and a mark before the name of a syntax error in a file that it loads. */
function sourceBefore(head: readonly string[]): string {
  const mark = head.findIndex((line) => /^\s*\^+$/.test(line));
  return mark < 0 ? "" : head.slice(0, mark + 1).join("\n");
}

function lineOf(frame: string): string {
  const match = USER_FRAME.exec(frame);
  return match ? `${match[1]}:${match[2]}` : frame;
}

/** A recursion shows the same frame many times. */
function withoutRepeats(frames: readonly string[]): string[] {
  const kept: string[] = [];
  let repeats = 0;
  const flush = () => {
    if (repeats > MAX_REPEATS) kept.push(`    … ${repeats - MAX_REPEATS} more of the same`);
    repeats = 0;
  };
  for (const [i, frame] of frames.entries()) {
    if (frame !== frames[i - 1]) flush();
    repeats++;
    if (repeats <= MAX_REPEATS) kept.push(frame);
  }
  flush();
  return kept;
}
