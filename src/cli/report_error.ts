import { PersimmonError } from "../errors.js";

/**
 * Prints an error as `error [CODE] message`, with `debug` its stack and causes instead.
 * @param write where to; default: stderr
 * @returns the exit code, 1
 */
export function reportError(
  error: unknown,
  {
    debug,
    write = (text: string) => process.stderr.write(text),
  }: { debug: boolean; write?: (text: string) => void },
): number {
  const code = error instanceof PersimmonError ? error.code : "UNEXPECTED";
  const message = error instanceof Error ? error.message : String(error);
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
  return 1;
}
