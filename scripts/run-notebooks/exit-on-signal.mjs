/**
 * Makes Ctrl-C and SIGTERM end this process through `process.exit`, which runs the handlers that end what it started;
 * by default a signal ends it without them.
 */
export function exitOnSignal() {
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
}
