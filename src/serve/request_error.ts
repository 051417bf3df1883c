import { PersimmonError } from "../errors.js";

/** A request that is not answered with what it asked for, with the HTTP status that says why. */
export class RequestError extends PersimmonError {
  readonly status: number;
  /** The field of the request that is wrong. */
  readonly param: string | null;
  /** Seconds after which it makes sense to ask again. */
  readonly retryAfter: number | undefined;

  constructor(
    code: string,
    message: string,
    options: { status?: number; param?: string | null; retryAfter?: number } = {},
  ) {
    super(code, message);
    this.name = "RequestError";
    this.status = options.status ?? 400;
    this.param = options.param ?? null;
    this.retryAfter = options.retryAfter;
  }
}

/** Codes of the library that mean that the request was wrong, not the server. */
const faultsOfTheRequest = new Set([
  "PROMPT_EMPTY",
  "PROMPT_INVALID",
  "PROMPT_TOO_LONG",
  "TOKEN_ID_OUT_OF_RANGE",
  "SAMPLING_INVALID",
]);

/** Any error as one that has a status; what nobody has foreseen is 500 and keeps its details to itself. */
export function requestError(error: unknown): RequestError {
  if (error instanceof RequestError) return error;
  if (error instanceof PersimmonError) {
    const status = faultsOfTheRequest.has(error.code) ? 400 : 500;
    return new RequestError(error.code, error.message, { status });
  }
  return new RequestError("INTERNAL_ERROR", "the server failed; its log says more", { status: 500 });
}
