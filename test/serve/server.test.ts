import { connect } from "node:net";
import { expect, it } from "vitest";
import { ablationStudy } from "../../src/research/ablation_study.js";
import { ModelServer } from "../../src/serve/server.js";
import { failureOf } from "../support/codes.js";
import { pagesInUse, patience, runningServer, send, slowDown } from "./running_server.js";

const completion = (url: string, body: Record<string, unknown>) =>
  send(`${url}/v1/completions`, "POST", { model: "tiny", prompt: "a", temperature: 0, ...body });

it("answers requests that come at once as it answers each alone, and is well meanwhile", async () => {
  const { server } = await runningServer();
  const prompts = Array.from({ length: 24 }, (_, index) => "a human".repeat(1 + (index % 7)) + index);
  const ask = async (prompt: string) =>
    (await completion(server.url, { prompt, max_tokens: 20, logprobs: 1, echo: true })).body.choices;
  const together = prompts.map(ask);
  expect(await send(`${server.url}/healthz`, "GET", undefined)).toMatchObject({
    status: 200,
    body: { success: true },
  });
  const answers = await Promise.all(together);
  for (const [index, prompt] of prompts.entries()) expect(answers[index]).toEqual(await ask(prompt));
});

it("a full queue is 429, with a time to come again, on both interfaces", async () => {
  const { server } = await runningServer({ limits: { batch: 1, queue: 2 } }, {}, (model) =>
    slowDown(model, 2),
  );
  const accepted = [400, 5, 5].map((tokens) => completion(server.url, { max_tokens: tokens }));
  await expect.poll(() => server.load, patience).toEqual({ running: 1, waiting: 2, requests: 3 });
  const refused = await completion(server.url, {});
  expect(refused).toMatchObject({
    status: 429,
    body: {
      error: {
        message: "2 texts wait already, and the queue has room for 2: ask again later",
        type: "rate_limit_error",
        param: null,
        code: "server_busy",
      },
    },
  });
  expect(refused.headers.get("retry-after")).toBe("3");
  expect((await completion(server.url, { stream: true })).status).toBe(429);
  const api = await send(`${server.url}/api`, "PUT", { prompts: "a" });
  expect(api).toMatchObject({ status: 429, body: expect.stringContaining("2 texts wait already") });
  expect((await Promise.all(accepted)).map(({ status }) => status)).toEqual([200, 200, 200]);
});

// Long texts are greedy: one in ten that is drawn ends by itself within 400 tokens.
it("a request that takes too long is 504, and a stream says so", async () => {
  const { server, model } = await runningServer({ limits: { seconds: 1 } }, {}, (one) => slowDown(one, 4));
  const asked = completion(server.url, { max_tokens: 500, temperature: 0 });
  const stream = fetch(`${server.url}/v1/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "tiny", prompt: "a", max_tokens: 500, temperature: 0, stream: true }),
  });
  const message = "the request took longer than 1 s";
  const error = { message, type: "server_error", param: null, code: "request_timeout" };
  expect(await asked).toMatchObject({ status: 504, body: { error } });
  const events = (await (await stream).text()).trim().split("\n\n");
  expect(JSON.parse(events[events.length - 1].replace("data: ", ""))).toEqual({ error });
  await expect.poll(() => server.load, patience).toEqual({ running: 0, waiting: 0, requests: 0 });
  await server.stop();
  expect(pagesInUse(model)).toBe(0);
});

it("who leaves before the answer is dropped, whether it runs or waits", async () => {
  const { server, errors } = await runningServer({ limits: { batch: 1 } }, {}, (model) => slowDown(model, 4));
  const controller = new AbortController();
  const asked = [1, 2].map(() =>
    fetch(`${server.url}/v1/completions`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ model: "tiny", prompt: "a", max_tokens: 500, temperature: 0 }),
      signal: controller.signal,
    }),
  );
  await expect.poll(() => server.load, patience).toEqual({ running: 1, waiting: 1, requests: 2 });
  controller.abort();
  await Promise.allSettled(asked);
  await expect.poll(() => server.load, patience).toEqual({ running: 0, waiting: 0, requests: 0 });
  expect((await completion(server.url, { max_tokens: 1 })).status).toBe(200);
  expect(errors).toEqual([]);
});

it("half a request, closed, leaves nothing behind", async () => {
  const { server, errors } = await runningServer();
  const { port } = new URL(server.url);
  const socket = connect(Number(port), "127.0.0.1");
  const head =
    "PUT /api HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
  socket.write(head);
  await expect.poll(() => server.load.requests, patience).toBe(1);
  socket.destroy();
  await expect.poll(() => server.load.requests, patience).toBe(0);
  expect(errors).toEqual([]);
});

it("a body that is announced as too long is not waited for", async () => {
  const { server } = await runningServer();
  const { port } = new URL(server.url);
  const socket = connect(Number(port), "127.0.0.1");
  let answer = "";
  socket.on("data", (part) => {
    answer += part;
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const head = "PUT /api HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
  socket.write(`${head}Content-Length: 1000000000\r\n\r\n{`);
  await expect.poll(() => answer, patience).toMatch(/^HTTP\/1\.1 413 /);
  socket.destroy();
  await closed;
});

it("an error of the model is 500, told to the server's owner, and the next request is served", async () => {
  let isBroken = true;
  const { server, errors } = await runningServer({}, {}, (model) => {
    model.hook("layers.0.in", () => {
      if (isBroken) throw new Error("broken");
    });
  });
  expect(await completion(server.url, {})).toMatchObject({
    status: 500,
    body: { error: { type: "server_error", code: "hook_failed" } },
  });
  expect(errors).toEqual([expect.objectContaining({ code: "HOOK_FAILED" })]);
  isBroken = false;
  expect((await completion(server.url, {})).status).toBe(200);
});

it("the model belongs to the server until that is stopped", async () => {
  const { server, model } = await runningServer();
  expect(await failureOf(model.generate("a").done)).toMatch(/^MODEL_BUSY/);
  const options = { port: 0, modelName: "tiny" };
  expect(await failureOf(ModelServer.start(model, options))).toMatch(/^MODEL_BUSY/);
  const study = failureOf(ablationStudy(model, [5, 6, 7], { progress: false }));
  expect(await study).toMatch(/^MODEL_BUSY: .* while this model is served/);
  expect((await model.logits("a")).shape[1]).toBe(model.config.vocabSize);
  await server.stop();
  await server.stop();
  expect((await model.generate("a", { maxNewTokens: 2 }).done).ids).toHaveLength(2);
});

it("stops: accepts no more, finishes what has come, and closes", async () => {
  const { server } = await runningServer({}, {}, (model) => slowDown(model, 2));
  const running = completion(server.url, { max_tokens: 100, temperature: 0 });
  await expect.poll(() => server.load.running, patience).toBe(1);
  const stopped = server.stop();
  await expect(fetch(`${server.url}/healthz`)).rejects.toThrow("fetch failed");
  expect((await running).body.usage.completion_tokens).toBe(100);
  await stopped;
});

it("a connection that was open before is told that the server stops", async () => {
  const { server } = await runningServer({}, {}, (model) => slowDown(model, 2));
  const running = completion(server.url, { max_tokens: 300, temperature: 0 });
  await expect.poll(() => server.load.running, patience).toBe(1);
  const { port } = new URL(server.url);
  const socket = connect(Number(port), "127.0.0.1");
  // The head of a request has begun, so the connection is not idle.
  socket.write("GET /v1/models HTTP/1.1\r\n");
  await new Promise((resolve) => setTimeout(resolve, 200));
  const stopped = server.stop();
  let answer = "";
  socket.on("data", (part) => {
    answer += part;
  });
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write("Host: localhost\r\n\r\n");
  await closed;
  expect(answer).toMatch(/^HTTP\/1\.1 503 /);
  expect(answer).toMatch(/\r\nretry-after: 10\r\n/i);
  expect((await running).status).toBe(200);
  await stopped;
});

it("what is not finished in the time of grace is given up with 503", async () => {
  const { server, model } = await runningServer({ limits: { graceSeconds: 0 } }, {}, (one) =>
    slowDown(one, 4),
  );
  const running = completion(server.url, { max_tokens: 500, temperature: 0 });
  await expect.poll(() => server.load.running, patience).toBe(1);
  await server.stop();
  expect(await running).toMatchObject({ status: 503, body: { error: { code: "server_stopping" } } });
  expect(pagesInUse(model)).toBe(0);
});

it("refuses what it cannot do before it listens", async () => {
  const { server, reference } = await runningServer();
  const start = (options: object) =>
    failureOf(ModelServer.start(reference, { port: 0, modelName: "x", ...options }));
  const { port } = new URL(server.url);
  expect(await start({ host: "0.0.0.0" })).toMatch(/^TOKEN_REQUIRED: other machines can reach 0\.0\.0\.0/);
  expect(await start({ limits: { batch: 0 } })).toMatch(/^OPTION_INVALID/);
  expect(await start({ cors: true })).toMatch(/^OPTION_UNKNOWN: serve has no option "cors"/);
  expect(await start({ port: 65_536 })).toBe(
    "OPTION_INVALID: serve: port must be a whole number from 0 to 65535, got 65536",
  );
  expect(await start({ port: Number(port) })).toBe(
    `LISTEN_FAILED: cannot listen at 127.0.0.1, port ${port}: something else listens there; give another --port, or 0 for any that is free`,
  );
  // It does not keep the model.
  expect((await reference.generate("a", { maxNewTokens: 1 }).done).ids).toHaveLength(1);
});
