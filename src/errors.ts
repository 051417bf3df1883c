/**
 * The one error type of the library. `code` is stable and meant for programs; the message is meant for people and says
 * what was expected, what was found and where.
 */
export class PersimmonError extends Error {
  readonly code: string;

  /**
   * @param code stable name in capitals, such as `CHECKPOINT_TRUNCATED`
   * @param message what was expected, what was found, where, and what to do
   */
  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "PersimmonError";
    this.code = code;
  }
}

/** Throws `OPTION_UNKNOWN` when `options` has a name that is not among the known ones of `caller`. */
export function checkOptionNames(caller: string, options: object, known: Iterable<string>): void {
  const names = [...known];
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new PersimmonError(
      "OPTION_UNKNOWN",
      `${caller} has no option "${name}"; it has ${names.join(", ")}`,
    );
  }
}
