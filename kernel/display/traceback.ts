const BOLD_RED = "\u001b[1;31m";
const GREY = "\u001b[90m";
const RESET = "\u001b[0m";

const HEAD = /^(Cell \d+:\d+:\d+ - error TS\d+: |\[(cause|errors \d+)\]: )/;
const FRAME = /^\s+at /;

/**
 * A traceback in colour, as ipykernel's are: front ends and terminals show ANSI sequences. What went wrong is red and the
 * stack is grey. Only whole lines, so that a search for a message or for a line of source still finds it in one piece; a
 * line of source and the marks below it stay as they are for that reason.
 */
export function coloured(traceback: readonly string[]): string[] {
  return traceback.map((line, index) => {
    if (line === "") return line;
    if (index === 0 || HEAD.test(line)) return `${BOLD_RED}${line}${RESET}`;
    return FRAME.test(line) ? `${GREY}${line}${RESET}` : line;
  });
}
