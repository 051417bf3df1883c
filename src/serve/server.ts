import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { checkOptionNames, PersimmonError } from "../errors.js";
import type { LanguageModel } from "../language_model.js";
import { checkAccess, checkPort } from "./access.js";
import { createApp } from "./app.js";
import { checkLimits, type ServeLimits } from "./limits.js";
import { RequestError } from "./request_error.js";
import { createService, type Service } from "./service.js";

export interface ServeOptions {
  /** Where to listen; "127.0.0.1", this machine alone. Any other needs a token. */
  host?: string;
  /** 6001, as Adept's server; 0 takes any that is free. */
  port?: number;
  /** What requests must carry as `Authorization: Bearer …`. */
  token?: string | undefined;
  /** The name that clients call the model by. */
  modelName: string;
  limits?: Partial<ServeLimits>;
  /** Told of errors that are no fault of a request. */
  onError?: (error: unknown) => void;
}

/** Seconds that a client may take to send its headers, and its body. */
const headersSeconds = 20;
const bodySeconds = 60;

/** A server that answers for a model, which belongs to it until it is stopped. */
export class ModelServer {
  readonly url: string;
  readonly #server: Server;
  readonly #service: Service;
  readonly #leave: () => void;
  readonly #stop: () => void;
  #stopped: Promise<void> | undefined;

  private constructor(server: Server, service: Service, leave: () => void, stop: () => void) {
    const { address, family, port } = server.address() as AddressInfo;
    this.url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
    this.#server = server;
    this.#service = service;
    this.#leave = leave;
    this.#stop = stop;
  }

  /**
   * Begins to listen.
   * @throws PersimmonError TOKEN_REQUIRED, TOKEN_INVALID, OPTION_INVALID, OPTION_UNKNOWN, TOKENIZER_MISSING, MODEL_BUSY,
   *   LISTEN_FAILED
   */
  static async start(model: LanguageModel, options: ServeOptions): Promise<ModelServer> {
    checkOptionNames("serve", options, known);
    const { host = "127.0.0.1", port = 6001, token, onError = () => {} } = options;
    checkAccess(host, token);
    checkPort(port);
    const { bytesPerToken } = model.kv;
    const limits = checkLimits(options.limits ?? {}, { maxLength: model.maxLength, bytesPerToken });
    const service = createService(model, options.modelName, limits);
    let isStopping = false;
    const app = createApp(service, { token, isStopping: () => isStopping, onError });
    const server = createAdaptorServer({
      fetch: app.fetch,
      overrideGlobalObjects: false,
      serverOptions: { headersTimeout: headersSeconds * 1000, requestTimeout: bodySeconds * 1000 },
    }) as Server;
    const leave = await model.runtime.beginGeneration(new AbortController().signal, { untilStopped: true });
    try {
      await listen(server, host, port);
    } catch (error) {
      leave();
      throw error;
    }
    return new ModelServer(server, service, leave, () => {
      isStopping = true;
    });
  }

  /** Texts that are being made, texts that wait, and requests that are not answered yet. */
  get load(): { running: number; waiting: number; requests: number } {
    return { ...this.#service.scheduler.load, requests: this.#service.lifetimes.size };
  }

  /**
   * Accepts no more, lets the requests that have come finish, ends those that take longer than `graceSeconds`, and gives the
   * model back.
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #end(): Promise<void> {
    const { scheduler, lifetimes, limits } = this.#service;
    this.#stop();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    // A connection whose answer was complete waits for another request, unless it is closed.
    const idle = setInterval(() => this.#server.closeIdleConnections(), 50);
    const reason = new RequestError(
      "SERVER_STOPPING",
      "the server was stopped before the answer was complete",
      {
        status: 503,
      },
    );
    const timer = setTimeout(() => {
      lifetimes.abortAll(reason);
      // Answers that say so are sent, and then nobody is waited for any more.
      setTimeout(() => this.#server.closeAllConnections(), 1000).unref();
    }, limits.graceSeconds * 1000);
    await closed;
    clearTimeout(timer);
    clearInterval(idle);
    await scheduler.close();
    this.#leave();
  }
}

const known = ["host", "port", "token", "modelName", "limits", "onError"] satisfies (keyof ServeOptions)[];

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const why = error.code === "EADDRINUSE" ? "something else listens there" : error.message;
      const message = `cannot listen at ${host}, port ${port}: ${why}; give another --port, or 0 for any that is free`;
      reject(new PersimmonError("LISTEN_FAILED", message, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
}
