/** How a program ended: what counts as solved is "passed" and nothing else. */
export type ProgramStatus = "passed" | "failed" | "syntax" | "crashed" | "timeout";

/** What came through the result pipe so far. */
export type ResultState =
  | { kind: "waiting" }
  | { kind: "started" }
  | { kind: "verdict"; status: ProgramStatus; detail: string }
  | { kind: "forged" };

/** Longer than any honest result; what is longer is not kept. */
export const longestResult = 8192;

const verdicts: readonly string[] = ["passed", "failed", "syntax", "crashed"];

/**
 * Reads what the result pipe gave: `<nonce> started`, then `<nonce> <verdict> <detail>`, each in a line, and nothing else.
 * Anything else is written by the program itself, which does not know the nonce.
 */
export function readResult(bytes: Buffer, nonce: string): ResultState {
  const [first, second, ...more] = bytes.toString("utf8").split("\n");
  if (second === undefined)
    return `${nonce} started`.startsWith(first) ? { kind: "waiting" } : { kind: "forged" };
  if (first !== `${nonce} started` || bytes.length > longestResult) return { kind: "forged" };
  if (more.length === 0) {
    const begun = second.slice(0, nonce.length + 1) === `${nonce} `.slice(0, second.length);
    return { kind: begun ? "started" : "forged" };
  }
  const [word, status, ...detail] = second.split(" ");
  if (word !== nonce || !verdicts.includes(status) || more.length > 1 || more[0] !== "")
    return { kind: "forged" };
  return { kind: "verdict", status: status as ProgramStatus, detail: printable(detail.join(" ")) };
}

/** Text of a program with nothing in it that moves the cursor or changes the colour of a terminal. */
function printable(text: string): string {
  return text.trim().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd");
}
