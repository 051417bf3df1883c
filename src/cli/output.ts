import { PersimmonError } from "../errors.js";
import { reportError } from "./report_error.js";

/**
 * Ends the program where standard output cannot be written any more. Where something runs it ends as with Ctrl-C: leaving at once
 * would be in the midst of what a device computes.
 * @returns the exit code of the program in that case: 0 where the reader has left (`persimmon info | head`), 1 for a full disk
 */
export function watchOutput(debug: boolean): { readonly exitCode: number | undefined } {
  const state: { exitCode: number | undefined } = { exitCode: undefined };
  process.stdout.on("error", (cause: NodeJS.ErrnoException) => {
    if (state.exitCode !== undefined) return;
    const error = new PersimmonError("OUTPUT_FAILED", `standard output cannot be written: ${cause.message}`, {
      cause,
    });
    state.exitCode = cause.code === "EPIPE" ? 0 : reportError(error, { debug });
    if (!process.emit("SIGINT")) process.exit(state.exitCode);
  });
  return state;
}
