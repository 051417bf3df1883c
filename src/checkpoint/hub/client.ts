import { failureOf, HubFailure } from "./failure.js";
import { stallTime, withRetries } from "./patience.js";
import type { HubToken } from "./settings.js";

/** An answer whose body is read with a limit on how long nothing may come. */
export interface Answer {
  status: number;
  headers: Headers;
  /**
   * What the hub's own server said of a file before it sent us on to another: `x-linked-etag`, the id of the content, and
   * `x-linked-size`. The servers of Xet storage themselves name no ETag.
   */
  linked: { etag: string | undefined; size: number | undefined };
  chunks(): AsyncGenerator<Uint8Array>;
  /** Gives the connection up. */
  cancel(): void;
}

// Listings come in pages of 1,000 files, about 300 kB each.
const LARGEST_LISTING = 2 ** 26;
const MOST_REDIRECTS = 10;

/** Requests to one hub. The token goes to its own origin only, never along with a redirect to a content server. */
export class HubClient {
  readonly #origin: string;

  constructor(
    readonly endpoint: string,
    private readonly token: HubToken | undefined,
    readonly signal: AbortSignal | undefined,
    private readonly onPause: ((reason: string) => void) | undefined,
  ) {
    this.#origin = new URL(endpoint).origin;
  }

  /** For the hub's library: a `fetch` that repeats what may pass, and reads the whole of a small answer. Throws HubFailure. */
  readonly fetch: typeof fetch = (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const headers = Object.fromEntries(new Headers(init?.headers));
    return withRetries({ signal: this.signal, onPause: this.onPause }, async () => {
      const answer = await this.open(url, headers, true);
      const body = await whole(answer, LARGEST_LISTING);
      return new Response(body, { status: answer.status, headers: plain(answer.headers) });
    });
  };

  /**
   * One try of a GET; redirects are followed.
   * @param isFirst whether nothing was heard of the hub so far: where it cannot be reached at all, trying again is no use
   * @throws HubFailure for whatever is no success, but AbortError when the signal is aborted
   */
  async open(url: string, headers: Record<string, string>, isFirst = false): Promise<Answer> {
    const linked: Answer["linked"] = { etag: undefined, size: undefined };
    let address = new URL(url);
    for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
      const { response, watch } = await this.#send(address, headers, isFirst);
      linked.etag ??= response.headers.get("x-linked-etag") ?? undefined;
      linked.size ??= sizeIn(response.headers.get("x-linked-size"));
      const location = response.headers.get("location");
      if (response.status >= 300 && response.status < 400 && location !== null) {
        watch.cancel();
        address = redirected(address, location);
        continue;
      }
      if (!response.ok) {
        watch.cancel();
        throw failureOf(response, address.origin === this.#origin);
      }
      return {
        status: response.status,
        headers: response.headers,
        linked,
        chunks: () => watch.chunks(response),
        cancel: () => watch.cancel(),
      };
    }
    throw new HubFailure(`more than ${MOST_REDIRECTS} redirects`, { mayPass: false });
  }

  async #send(address: URL, headers: Record<string, string>, isFirst: boolean) {
    const watch = new Watch(this.signal);
    const isOwn = address.origin === this.#origin;
    const sent = new Headers({ "user-agent": "persimmon-lab", ...headers });
    if (isOwn && this.token) sent.set("authorization", `Bearer ${this.token.value}`);
    const response = await watch.during(
      fetch(address, {
        headers: sent,
        redirect: "manual",
        signal: watch.signal,
      }),
      isFirst,
    );
    return { response, watch };
  }
}

/** Where a redirect leads; one from https to http is refused, since anybody on the way could answer it. */
function redirected(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href))
    throw new HubFailure("a redirect that is no URL", { mayPass: false });
  const to = new URL(location, from);
  if (to.protocol === "https:" || to.protocol === from.protocol) return to;
  throw new HubFailure(`a redirect from ${from.protocol} to ${to.protocol}`, { mayPass: false });
}

function sizeIn(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** The body was decoded, so these are no longer true. */
function plain(headers: Headers): Headers {
  const kept = new Headers(headers);
  kept.delete("content-encoding");
  kept.delete("content-length");
  return kept;
}

/** The body of an answer that is small. */
export async function whole(answer: Answer, largest: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.chunks()) {
    size += chunk.byteLength;
    if (size > largest) {
      answer.cancel();
      throw new HubFailure(`an answer of more than ${largest} bytes`, { mayPass: false });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Ends a request when nothing has come for a while, or when the user wants it. */
class Watch {
  readonly #own = new AbortController();
  readonly signal: AbortSignal;

  constructor(private readonly user: AbortSignal | undefined) {
    this.signal = user === undefined ? this.#own.signal : AbortSignal.any([user, this.#own.signal]);
  }

  cancel(): void {
    this.#own.abort();
  }

  async during<T>(waiting: Promise<T>, isFirst = false): Promise<T> {
    const limit = stallTime();
    let isStalled = false;
    const timer = setTimeout(() => {
      isStalled = true;
      this.#own.abort();
    }, limit);
    try {
      return await waiting;
    } catch (cause) {
      if (this.user?.aborted) throw cause;
      if (isStalled) throw new HubFailure(`nothing came for ${limit / 1000} s`, { mayPass: true, cause });
      const { code, message } = ((cause as Error).cause ?? cause) as NodeJS.ErrnoException;
      const wasConnected = code === "ECONNRESET" || code?.startsWith("UND_ERR_");
      throw new HubFailure(message || code || String(cause), {
        mayPass: !isFirst || wasConnected === true,
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async *chunks(response: Response): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        const { done, value } = await this.during(reader.read());
        if (done) return;
        yield value;
      }
    } finally {
      this.cancel();
    }
  }
}
