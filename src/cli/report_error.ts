import type { Command } from "commander";
import { PersimmonError } from "../errors.js";
import { withFlags } from "./usage.js";

/**
 * Prints an error as `error [CODE] message`, with `debug` its stack and causes instead.
 * @param command what ran: options are named by its flags
 * @param write where to; default: stderr
 * @returns the exit code: 130 for what was interrupted, else 1
 */
export function reportError(
  error: unknown,
  {
    debug,
    command,
    write = (text: string) => process.stderr.write(text),
  }: { debug: boolean; command?: Command | undefined; write?: (text: string) => void },
): number {
  const code = error instanceof PersimmonError ? error.code : "UNEXPECTED";
  const said = error instanceof Error ? error.message : String(error);
  const message = command === undefined ? said : withFlags(said, command);
  if (debug && error instanceof Error) {
    write(`error [${code}] ${error.stack ?? message}\n`);
    for (
      let cause = error.cause;
      cause !== undefined;
      cause = cause instanceof Error ? cause.cause : undefined
    ) {
      write(`caused by ${cause instanceof Error ? (cause.stack ?? cause.message) : String(cause)}\n`);
    }
  } else {
    write(`error [${code}] ${message}\n`);
    if (!(error instanceof PersimmonError)) write("Run it again with --debug to see where.\n");
  }
  return code === "INTERRUPTED" || code === "HUB_ABORTED" ? 130 : 1;
}
