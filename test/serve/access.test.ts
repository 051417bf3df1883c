import { request } from "node:http";
import { beforeAll, describe, expect, it } from "vitest";
import { authorize, checkAccess, isLoopback } from "../../src/serve/access.js";
import { codeOf } from "../support/codes.js";
import { type RunningServer, runningServer, send } from "./running_server.js";

const token = "correct-horse-battery-staple";

describe("where a server may listen", () => {
  it.each(["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST", "::1"])("%s is this machine's own", (host) => {
    expect(isLoopback(host)).toBe(true);
    expect(() => checkAccess(host, undefined)).not.toThrow();
  });

  it.each(["0.0.0.0", "::", "192.168.1.5", "example.com", "127.0.0.1.example.com", "1270.0.0.1", ""])(
    "%j needs a token",
    (host) => {
      expect(isLoopback(host)).toBe(false);
      expect(codeOf(() => checkAccess(host, undefined))).toBe("TOKEN_REQUIRED");
      expect(() => checkAccess(host, token)).not.toThrow();
    },
  );

  it.each(["", " ", "two words", "naïve", "a\nb"])("%j is no token", (text) => {
    expect(codeOf(() => checkAccess("127.0.0.1", text))).toBe("TOKEN_INVALID");
  });
});

describe("who is answered", () => {
  it.each<[authorization: string | undefined, code: string | undefined]>([
    [`Bearer ${token}`, undefined],
    [`bearer  ${token} `, undefined],
    [undefined, "TOKEN_MISSING"],
    ["", "TOKEN_MISSING"],
    ["Bearer ", "TOKEN_MISSING"],
    [token, "TOKEN_MISSING"],
    [`Basic ${token}`, "TOKEN_MISSING"],
    [`Bearer ${token}x`, "INVALID_API_KEY"],
    [`Bearer ${token.slice(1)}`, "INVALID_API_KEY"],
    [`Bearer x${token.slice(1)}`, "INVALID_API_KEY"],
  ])("with a token: %j", (authorization, code) => {
    const ask = () => authorize({ authorization, host: "example.com" }, token);
    if (code === undefined) ask();
    else expect(codeOf(ask)).toBe(code);
  });

  it.each<[host: string | undefined, code: string | undefined]>([
    ["localhost:6001", undefined],
    ["127.0.0.1:6001", undefined],
    ["[::1]:6001", undefined],
    ["localhost", undefined],
    [undefined, undefined],
    ["rebound.example.com:6001", "HOST_FORBIDDEN"],
    ["127.0.0.1.example.com", "HOST_FORBIDDEN"],
  ])("without a token, asked by the name %j", (host, code) => {
    const ask = () => authorize({ authorization: "Bearer", host }, undefined);
    if (code === undefined) ask();
    else expect(codeOf(ask)).toBe(code);
  });
});

describe("a server with a token", () => {
  let running: RunningServer;
  beforeAll(async () => {
    running = await runningServer({ host: "0.0.0.0", token });
  });

  const url = (path: string) => running.server.url.replace("0.0.0.0", "127.0.0.1") + path;
  const body = { model: "tiny", prompt: "a", max_tokens: 1 };

  it("answers who has it, tells the others, and says to anyone that it is well", async () => {
    const bearer = { Authorization: `Bearer ${token}` };
    expect((await send(url("/v1/completions"), "POST", body, bearer)).status).toBe(200);
    expect((await send(url("/api"), "PUT", { prompts: "a", tokens_to_generate: 1 }, bearer)).status).toBe(
      200,
    );
    const refused = await send(url("/v1/completions"), "POST", body);
    expect(refused).toMatchObject({
      status: 401,
      body: { error: { type: "invalid_request_error", code: "token_missing" } },
    });
    expect(refused.headers.get("www-authenticate")).toBe("Bearer");
    const wrong = await send(url("/api"), "PUT", { prompts: "a" }, { Authorization: "Bearer x" });
    expect(wrong).toMatchObject({ status: 401, body: "the token is not the one of this server" });
    // Whether there is such a path is no one's business.
    expect((await send(url("/v1/nothing"), "POST", body)).status).toBe(401);
    expect((await send(url("/healthz"), "GET", undefined)).status).toBe(200);
  });
});

it("a server without a token is not asked by another name", async () => {
  const { server } = await runningServer();
  const { hostname, port } = new URL(server.url);
  const status = await new Promise((resolve, reject) => {
    const headers = { Host: "rebound.example.com" };
    const asked = request({ hostname, port, path: "/v1/models", headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("error", reject).end();
  });
  expect(status).toBe(403);
});
