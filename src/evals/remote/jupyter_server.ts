import { randomBytes } from "node:crypto";
import type { ServerConnection as Connection } from "@jupyterlab/services";
import { PersimmonError } from "../../errors.js";
import type { CheckedServer } from "./server_options.js";

/** How long a server may take to answer; starting a kernel on a cluster may have to wait for a machine. */
const answerSeconds = 20;
const startSeconds = 180;
const shutdownSeconds = 20;

/**
 * One Jupyter server over its REST interface: only what Jupyter Server and Enterprise Gateway have in common (kernelspecs, and
 * single kernels; lists of kernels and sessions are closed there by default).
 */
export class JupyterServer {
  readonly name: string;
  readonly settings: Connection.ISettings;
  /** Headers of every request, and of WebSockets. */
  readonly headers: Record<string, string>;

  private constructor(
    readonly options: CheckedServer,
    readonly services: typeof import("@jupyterlab/services"),
  ) {
    this.name = options.url;
    // Without authentication a server wants to see that who asks reads its own cookies, which pages of other sites cannot. (A
    // token it takes as proof enough.)
    const xsrf = randomBytes(16).toString("hex");
    this.headers =
      options.token === ""
        ? { Cookie: `_xsrf=${xsrf}`, "X-XSRFToken": xsrf, "Content-Type": "application/json" }
        : { Authorization: `token ${options.token}` };
    this.settings = services.ServerConnection.makeSettings({
      baseUrl: options.url,
      // In our headers instead: addresses end up in logs.
      token: "",
      appendToken: false,
      // What is thrown on loses its cause, and "fetch failed" says nothing.
      fetch: (input: Parameters<typeof fetch>[0], init?: RequestInit) =>
        fetch(input, init).catch((error) => {
          throw new Error(reasonOf(error), { cause: error });
        }),
    });
  }

  /**
   * Checks that the server answers, takes the token and has the kernel.
   * @throws PersimmonError EVAL_SERVER_UNREACHABLE, EVAL_SERVER_REFUSED, EVAL_KERNELSPEC_MISSING, EVAL_SERVER_REPLY_INVALID
   */
  static async open(options: CheckedServer, signal: AbortSignal): Promise<JupyterServer> {
    // Loaded late: only who uses servers waits for it.
    const server = new JupyterServer(options, await import("@jupyterlab/services"));
    const { body } = await server.#request("GET", "api/kernelspecs", { seconds: answerSeconds, signal });
    const specs = objectOf(objectOf(body)?.kernelspecs);
    if (specs === undefined) throw server.malformed("the list of kernelspecs", body);
    const { kernelName } = options;
    const spec = objectOf(objectOf(Object.hasOwn(specs, kernelName) ? specs[kernelName] : undefined)?.spec);
    if (spec === undefined) {
      const names = Object.keys(specs).join(", ") || "none";
      throw new PersimmonError(
        "EVAL_KERNELSPEC_MISSING",
        `${server.name} has no kernel "${kernelName}"; it has ${names}. Install it there with \`persimmon kernel install\`, or name it with \`kernelName\``,
      );
    }
    if (spec.language !== "typescript") {
      throw new PersimmonError(
        "EVAL_KERNELSPEC_MISSING",
        `the kernel "${kernelName}" of ${server.name} is for ${String(spec.language)}, not for TypeScript: name this library's kernel with \`kernelName\``,
      );
    }
    return server;
  }

  /** Starts a kernel; its id. It is not given up half-way, so that none is left that nobody knows of. */
  async startKernel(): Promise<string> {
    const { kernelName: name } = this.options;
    const { status, body } = await this.#request("POST", "api/kernels", {
      body: { name },
      seconds: startSeconds,
    });
    const id = objectOf(body)?.id;
    if (status !== 201 || typeof id !== "string" || id === "")
      throw this.malformed("the kernel it started", body);
    return id;
  }

  /** Whether a kernel is there still, as far as the server knows. */
  async hasKernel(id: string, signal: AbortSignal): Promise<boolean> {
    const path = `api/kernels/${encodeURIComponent(id)}`;
    const { status, body } = await this.#request("GET", path, {
      seconds: answerSeconds,
      signal,
      accept: [404],
    });
    return status !== 404 && objectOf(body)?.execution_state !== "dead";
  }

  /** Ends a kernel; one that is not there any more is fine. */
  async shutdownKernel(id: string): Promise<void> {
    const path = `api/kernels/${encodeURIComponent(id)}`;
    await this.#request("DELETE", path, { seconds: shutdownSeconds, accept: [404] });
  }

  /** @param what was expected */
  malformed(what: string, found: unknown): PersimmonError {
    const text = JSON.stringify(found) ?? String(found);
    return new PersimmonError(
      "EVAL_SERVER_REPLY_INVALID",
      `${this.name}: expected ${what}, found ${text.length > 200 ? `${text.slice(0, 200)}…` : text}: is it a Jupyter server?`,
    );
  }

  async #request(
    method: string,
    path: string,
    options: { body?: object; seconds: number; signal?: AbortSignal; accept?: number[] },
  ): Promise<{ status: number; body: unknown }> {
    const { ServerConnection } = this.services;
    const limit = AbortSignal.timeout(options.seconds * 1000);
    const signal = AbortSignal.any([limit, ...(options.signal ? [options.signal] : [])]);
    const { headers } = this;
    const init = { method, signal, headers, ...(options.body && { body: JSON.stringify(options.body) }) };
    let response: Response;
    let text: string;
    try {
      response = await ServerConnection.makeRequest(`${this.settings.baseUrl}${path}`, init, this.settings);
      text = await response.text();
    } catch (cause) {
      const reason = limit.aborted ? `no answer within ${options.seconds} s` : reasonOf(cause);
      throw new PersimmonError(
        "EVAL_SERVER_UNREACHABLE",
        `${this.name} cannot be reached: ${reason}. Is the server running, and is the address right?`,
        { cause },
      );
    }
    const { status } = response;
    if (status === 401 || status === 403) {
      const why = this.options.token === "" ? "it needs a token" : "is the token right?";
      throw new PersimmonError(
        "EVAL_SERVER_REFUSED",
        `${this.name} refuses ${method} ${path} with ${status} ${response.statusText}: ${why}`,
      );
    }
    const body = parse(text);
    if (response.ok || options.accept?.includes(status)) return { status, body };
    const message = objectOf(body)?.message;
    throw new PersimmonError(
      "EVAL_SERVER_FAILED",
      `${this.name} answers ${method} ${path} with ${status} ${response.statusText}${typeof message === "string" ? `: ${message.slice(0, 500)}` : ""}`,
    );
  }
}

/** The innermost reason: `fetch` itself says "fetch failed" of everything. */
function reasonOf(error: unknown): string {
  let reason = error as Error & { code?: string };
  while (reason.cause instanceof Error) reason = reason.cause as typeof reason;
  return reason.message || (reason.code ?? String(error));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function objectOf(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}
