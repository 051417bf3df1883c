import type { HttpBindings } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { authorize } from "./access.js";
import { adeptAnswer } from "./adept/answer.js";
import { adeptRequest } from "./adept/request.js";
import { jsonBody } from "./json_body.js";
import { chatCompletion, streamChat } from "./openai/chat.js";
import { chatRequest } from "./openai/chat_request.js";
import { completionRequest } from "./openai/completion_request.js";
import { completion, streamCompletion } from "./openai/completions.js";
import { errorBody } from "./openai/replies.js";
import { RequestError, requestError } from "./request_error.js";
import type { Service } from "./service.js";
import { eventStream, type Send } from "./sse.js";

type Env = { Bindings: HttpBindings };

/** What the routes need beside the service. */
export interface AppOptions {
  /** What every request must carry, if there is one. */
  token: string | undefined;
  /** Whether the server has been told to stop. */
  isStopping: () => boolean;
  /** Told of what nobody has foreseen. */
  onError: (error: unknown) => void;
}

/** The routes of the server: Adept's own, and those of OpenAI's interface. */
export function createApp(service: Service, options: AppOptions): Hono<Env> {
  const app = new Hono<Env>();
  app.onError((error, c) => failure(c, error, options.onError));
  app.notFound((c) => {
    const message = `there is no ${c.req.method} ${c.req.path} here`;
    return failure(c, new RequestError("NOT_FOUND", message, { status: 404 }), options.onError);
  });
  app.get("/healthz", (c) =>
    options.isStopping() ? c.json({ success: false }, 503) : c.json({ success: true }),
  );
  app.use(async (c, next) => {
    const { authorization, host } = c.env.incoming.headers;
    authorize({ authorization, host }, options.token);
    if (options.isStopping()) {
      throw new RequestError("SERVER_STOPPING", "the server is being stopped", {
        status: 503,
        retryAfter: 10,
      });
    }
    await next();
  });
  app.put("/api", (c) =>
    withLifetime(service, c, async (body, signal) =>
      c.json(await adeptAnswer(service, adeptRequest(body, service.limits.choices), signal)),
    ),
  );
  addOpenAi(app, service, options.onError);
  for (const [path, allowed] of Object.entries(methods)) {
    app.all(path, (c) => {
      c.header("Allow", allowed);
      throw new RequestError("METHOD_NOT_ALLOWED", `${path} takes ${allowed}, not ${c.req.method}`, {
        status: 405,
      });
    });
  }
  return app;
}

const methods: Record<string, string> = {
  "/api": "PUT",
  "/healthz": "GET",
  "/v1/models": "GET",
  "/v1/completions": "POST",
  "/v1/chat/completions": "POST",
};

function addOpenAi(app: Hono<Env>, service: Service, onError: AppOptions["onError"]): void {
  const model = {
    id: service.modelName,
    object: "model",
    created: service.created,
    owned_by: "persimmon",
    max_model_len: service.model.maxLength,
  };
  app.get("/v1/models", (c) => c.json({ object: "list", data: [model] }));
  app.get("/v1/models/:name{.+}", (c) => {
    if (c.req.param("name") === service.modelName) return c.json(model);
    throw new RequestError("MODEL_NOT_FOUND", `there is no model but ${service.modelName}`, { status: 404 });
  });
  const streamed = (begin: (send: Send) => Promise<void>) =>
    eventStream(begin, (error) => {
      report(error, onError);
      return errorBody(error);
    });
  app.post("/v1/completions", (c) =>
    withLifetime(service, c, async (body, signal) => {
      const request = completionRequest(service, body);
      if (!request.stream) return c.json(await completion(service, request, signal));
      return streamed((send) => streamCompletion(service, request, signal, send));
    }),
  );
  app.post("/v1/chat/completions", (c) =>
    withLifetime(service, c, async (body, signal) => {
      const request = chatRequest(service, body);
      if (!request.stream) return c.json(await chatCompletion(service, request, signal));
      return streamed((send) => streamChat(service, request, signal, send));
    }),
  );
}

/** Reads the body and answers. The lifetime ends when the answer has been sent, a streamed one with its last event. */
async function withLifetime(
  { lifetimes, limits }: Service,
  c: Context<Env>,
  answer: (body: Record<string, unknown>, signal: AbortSignal) => Promise<Response>,
): Promise<Response> {
  const { incoming, outgoing } = c.env;
  const { signal } = lifetimes.begin(outgoing);
  return answer(await jsonBody(incoming, limits.bodyBytes), signal);
}

function report(error: unknown, onError: AppOptions["onError"]): RequestError {
  const known = requestError(error);
  if (known.status >= 500 && !(error instanceof RequestError)) onError(error);
  return known;
}

/** Adept's server answers with a JSON string where something is wrong, OpenAI's interface with an object. */
function failure(c: Context<Env>, error: unknown, onError: AppOptions["onError"]): Response {
  const known = report(error, onError);
  const headers: Record<string, string> = {};
  if (known.retryAfter !== undefined) headers["Retry-After"] = String(known.retryAfter);
  if (known.status === 401) headers["WWW-Authenticate"] = "Bearer";
  // What is left of a body that is not read must not be taken for the next request.
  if (known.status === 413 || known.status === 503) headers.Connection = "close";
  const body = c.req.path === "/api" ? known.message : errorBody(known);
  return c.json(body, known.status as 400, headers);
}
