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
