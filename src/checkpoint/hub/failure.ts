/** What a request to the hub ends with that did not bring what was asked for. */
export class HubFailure extends Error {
  /** Status of the answer; undefined where there was none. */
  readonly status: number | undefined;
  /** What the hub calls it in a header, such as "GatedRepo" or "RevisionNotFound". */
  readonly errorCode: string | undefined;
  /** Milliseconds after which the hub wants to be asked again. */
  readonly retryAfter: number | undefined;
  /** Whether the same request may succeed later. */
  readonly mayPass: boolean;

  constructor(
    message: string,
    about: {
      status?: number;
      errorCode?: string | undefined;
      retryAfter?: number | undefined;
      mayPass: boolean;
      cause?: unknown;
    },
  ) {
    super(message, { cause: about.cause });
    this.name = "HubFailure";
    this.status = about.status;
    this.errorCode = about.errorCode;
    this.retryAfter = about.retryAfter;
    this.mayPass = about.mayPass;
  }
}

/** What an answer that is no success says. */
export function failureOf(response: Response, isEndpoint: boolean): HubFailure {
  const { status, headers } = response;
  const said = headers.get("x-error-message");
  // An address that the hub has signed for another server holds for a while: a new one may do.
  const isExpired = !isEndpoint && (status === 401 || status === 403);
  return new HubFailure(`status ${status}${said ? ` (${said.slice(0, 200)})` : ""}`, {
    status: isExpired ? undefined : status,
    errorCode: headers.get("x-error-code") ?? undefined,
    retryAfter: retryAfter(headers),
    mayPass: status === 408 || status === 429 || status >= 500 || isExpired,
  });
}

/** Seconds or a date (RFC 9110, Retry-After), or the hub's own `ratelimit: "api";r=0;t=55`, in milliseconds. */
function retryAfter(headers: Headers): number | undefined {
  const stated = headers.get("retry-after")?.trim() ?? "";
  if (/^\d{1,9}$/.test(stated)) return 1000 * Number(stated);
  const date = Date.parse(stated);
  if (!Number.isNaN(date)) return Math.max(0, date - Date.now());
  const limit = /;\s*r=0\s*;\s*t=(\d{1,9})/.exec(headers.get("ratelimit") ?? "");
  return limit === null ? undefined : 1000 * Number(limit[1]);
}
