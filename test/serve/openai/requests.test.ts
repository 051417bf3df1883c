import { beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, runningServer, send } from "../running_server.js";

let running: RunningServer;
beforeAll(async () => {
  running = await runningServer({ limits: { newTokens: 100, choices: 8, bodyBytes: 100_000 } });
});

const ask = (path: string, body: unknown) => send(`${running.server.url}/v1/${path}`, "POST", body);

type Case = [fields: Record<string, unknown>, param: string | null, code: string, message: string];

/** Fields that completions and chats have in common. */
const common: Case[] = [
  [{ model: undefined }, "model", "missing_parameter", "the request must name a model: tiny"],
  [{ model: 3 }, "model", "invalid_type", "model must be a string, got 3"],
  [{ temperature: "1" }, "temperature", "invalid_type", 'temperature must be a number, got "1"'],
  [{ temperature: -0.1 }, "temperature", "invalid_value", "temperature must be from 0 to 2, got -0.1"],
  [{ temperature: 2.1 }, "temperature", "invalid_value", "temperature must be from 0 to 2, got 2.1"],
  [{ top_p: 1.5 }, "top_p", "invalid_value", "top_p must be from 0 to 1, got 1.5"],
  [{ n: 0 }, "n", "invalid_value", "n must be from 1 to 8, got 0"],
  [{ n: 9 }, "n", "invalid_value", "n must be from 1 to 8, got 9"],
  [{ n: 1.5 }, "n", "invalid_type", "n must be a whole number, got 1.5"],
  [
    { seed: 1e300 },
    "seed",
    "invalid_value",
    "seed must be from -9007199254740991 to 9007199254740991, got 1e+300",
  ],
  [
    { stop: "" },
    "stop",
    "invalid_value",
    'stop must be a text or a list of up to 4, none of them empty, got ""',
  ],
  [
    { stop: [1] },
    "stop",
    "invalid_value",
    "stop must be a text or a list of up to 4, none of them empty, got [1]",
  ],
  [
    { stop: ["a", "b", "c", "d", "e"] },
    "stop",
    "invalid_value",
    'stop must be a text or a list of up to 4, none of them empty, got ["a","b","c","d","e"]',
  ],
  [{ stream: 1 }, "stream", "invalid_type", "stream must be true or false, got 1"],
  [
    { stream_options: { include_usage: true } },
    "stream_options",
    "invalid_value",
    "stream_options is for requests with stream: true",
  ],
  [
    { stream: true, stream_options: { other: 1 } },
    "stream_options",
    "invalid_value",
    'stream_options must be an object such as { "include_usage": true }, got {"other":1}',
  ],
  [
    { presence_penalty: 0.5 },
    "presence_penalty",
    "unsupported_parameter",
    "presence_penalty is not supported: Persimmon's sampling has no penalties",
  ],
  [
    { frequency_penalty: 1 },
    "frequency_penalty",
    "unsupported_parameter",
    "frequency_penalty is not supported: Persimmon's sampling has no penalties",
  ],
  [
    { logit_bias: { "5": 1 } },
    "logit_bias",
    "unsupported_parameter",
    "logit_bias is not supported: logits are not changed",
  ],
  [{ top_k: 5 }, "top_k", "unknown_parameter", "unrecognized request argument: top_k"],
  [
    { max_tokens: -1 },
    "max_tokens",
    "invalid_value",
    expect.stringMatching(/^max_tokens must be from \d to/),
  ],
  [{ max_tokens: "9" }, "max_tokens", "invalid_type", 'max_tokens must be a whole number, got "9"'],
  [
    { max_tokens: 101 },
    "max_tokens",
    "max_tokens_too_large",
    "max_tokens must be at most 100, which is this server's limit, got 101",
  ],
];

const expectRefusal = async (path: string, body: Record<string, unknown>, [, param, code, message]: Case) => {
  const answer = await ask(path, body);
  expect(answer.body).toEqual({ error: { message, type: "invalid_request_error", param, code } });
  expect(answer.status).toBe(400);
};

describe("completions: what is wrong, by field", () => {
  const promptKinds = "prompt must be a text, a list of texts, a list of token ids or a list of such lists";
  it.each<Case>([
    ...common,
    [{ prompt: 3 }, "prompt", "invalid_value", `${promptKinds}, got 3`],
    [{ prompt: [] }, "prompt", "invalid_value", `${promptKinds}, got []`],
    [{ prompt: ["a", 3] }, "prompt", "invalid_value", `${promptKinds}, got ["a",3]`],
    [{ prompt: [[]] }, "prompt", "invalid_value", `${promptKinds}, got [[]]`],
    [{ prompt: [1.5] }, "prompt", "invalid_value", `${promptKinds}, got [1.5]`],
    [
      { prompt: [1, 99999] },
      "prompt",
      "token_id_out_of_range",
      expect.stringMatching(/^id 99999 at index 1 is outside the vocabulary of \d+ tokens$/),
    ],
    [
      { prompt: Array(9).fill("a") },
      "prompt",
      "too_many_choices",
      "9 prompts with n = 1 are more than the 8 texts that a request may ask for",
    ],
    [
      { prompt: ["a", "b"], n: 5 },
      "prompt",
      "too_many_choices",
      "2 prompts with n = 5 are more than the 8 texts that a request may ask for",
    ],
    [
      { prompt: Array(513).fill(5) },
      "prompt",
      "context_length_exceeded",
      "the prompt has 513 tokens, but the context holds 512: shorten it",
    ],
    [
      { prompt: Array(500).fill(5), max_tokens: 13 },
      "max_tokens",
      "context_length_exceeded",
      "the context holds 512 tokens, but the request needs 513: 500 of the prompt and 13 to be made",
    ],
    [{ echo: "yes" }, "echo", "invalid_type", 'echo must be true or false, got "yes"'],
    [{ logprobs: 6 }, "logprobs", "invalid_value", "logprobs must be from 0 to 5, got 6"],
    [{ logprobs: true }, "logprobs", "invalid_type", "logprobs must be a whole number, got true"],
    [
      { suffix: "end" },
      "suffix",
      "unsupported_parameter",
      "suffix is not supported: Persimmon was not trained to fill gaps",
    ],
    [
      { best_of: 3 },
      "best_of",
      "unsupported_parameter",
      "best_of is not supported: all texts that are made are returned; use n",
    ],
  ])("%j", (...one) => expectRefusal("completions", { model: "tiny", prompt: "a", ...one[0] }, one));
});

describe("chats: what is wrong, by field", () => {
  const user = { role: "user", content: "a" };
  const assistant = { role: "assistant", content: "b" };
  const turns = "user and assistant take turns, and the user begins";
  const noRole = (role: string) =>
    `Persimmon was trained without a ${role} role: put what it is to know into the first user message`;
  const noTools = "Persimmon was not trained to call tools";
  it.each<Case>([
    ...common,
    [{ messages: undefined }, "messages", "missing_parameter", "the request must have messages"],
    [
      { messages: [] },
      "messages",
      "invalid_value",
      "messages must be a list of at least one message, got []",
    ],
    [
      { messages: "a" },
      "messages",
      "invalid_value",
      'messages must be a list of at least one message, got "a"',
    ],
    [
      { messages: ["a"] },
      "messages[0]",
      "invalid_value",
      'messages[0] must be an object such as { "role": "user", "content": "Hello" }, got "a"',
    ],
    [
      { messages: [{ role: "system", content: "a" }, user] },
      "messages[0].role",
      "unsupported_value",
      noRole("system"),
    ],
    [
      { messages: [{ role: "developer", content: "a" }] },
      "messages[0].role",
      "unsupported_value",
      noRole("developer"),
    ],
    [
      { messages: [assistant] },
      "messages[0].role",
      "invalid_value",
      `messages[0].role must be "user": ${turns}, got "assistant"`,
    ],
    [
      { messages: [user, user] },
      "messages[1].role",
      "invalid_value",
      `messages[1].role must be "assistant": ${turns}, got "user"`,
    ],
    [
      { messages: [{ content: "a" }] },
      "messages[0].role",
      "invalid_value",
      `messages[0].role must be "user": ${turns}, got undefined`,
    ],
    [
      { messages: [user, assistant] },
      "messages[1].role",
      "invalid_value",
      "the last message must be the user's, which is answered",
    ],
    [
      { messages: [{ role: "user", content: null }] },
      "messages[0].content",
      "invalid_value",
      "messages[0].content must be a text or a list of parts of type text, got null",
    ],
    [
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: {} }] }] },
      "messages[0].content[0]",
      "invalid_value",
      'messages[0].content[0] must be an object such as { "type": "text", "text": "Hello" }, got {"type":"image_url","image_url":{}}',
    ],
    [
      { messages: [{ ...user, name: "Ann" }] },
      "messages[0].name",
      "unsupported_parameter",
      "messages[0] has name, which Persimmon knows nothing of",
    ],
    [
      { max_tokens: 0 },
      "max_tokens",
      "invalid_value",
      "max_tokens must be from 1 to 9007199254740991, got 0",
    ],
    [
      { max_completion_tokens: 200 },
      "max_completion_tokens",
      "max_tokens_too_large",
      "max_completion_tokens must be at most 100, which is this server's limit, got 200",
    ],
    [
      { max_tokens: 5, max_completion_tokens: 6 },
      "max_tokens",
      "invalid_value",
      "max_tokens (5) and max_completion_tokens (6) are two names of one limit: give one",
    ],
    [
      { messages: [{ role: "user", content: "a".repeat(600) }] },
      "messages",
      "context_length_exceeded",
      expect.stringMatching(/^the prompt has 6\d\d tokens, but the context holds 512: shorten it$/),
    ],
    [{ logprobs: 2 }, "logprobs", "invalid_type", "logprobs must be true or false, got 2"],
    [
      { top_logprobs: 2 },
      "logprobs",
      "invalid_value",
      "logprobs must be true where top_logprobs is given, got false",
    ],
    [
      { logprobs: true, top_logprobs: 21 },
      "top_logprobs",
      "invalid_value",
      "top_logprobs must be from 0 to 20, got 21",
    ],
    [
      { tools: [{ type: "function" }] },
      "tools",
      "unsupported_parameter",
      `tools is not supported: ${noTools}`,
    ],
    [
      { tool_choice: "required" },
      "tool_choice",
      "unsupported_parameter",
      `tool_choice is not supported: ${noTools}`,
    ],
    [{ functions: [{}] }, "functions", "unsupported_parameter", `functions is not supported: ${noTools}`],
    [
      { response_format: { type: "json_object" } },
      "response_format",
      "unsupported_parameter",
      "response_format is not supported: the text is not made to fit a format",
    ],
    [{ store: true }, "store", "unsupported_parameter", "store is not supported: nothing is stored"],
    [
      { reasoning_effort: "high" },
      "reasoning_effort",
      "unsupported_parameter",
      "reasoning_effort is not supported: Persimmon does not reason before it answers",
    ],
    [{ echo: true }, "echo", "unknown_parameter", "unrecognized request argument: echo"],
  ])("%j", (...one) =>
    expectRefusal("chat/completions", { model: "tiny", messages: [user], ...one[0] }, one),
  );
});

it("another model is 404", async () => {
  const answer = await ask("completions", { model: "gpt-4", prompt: "a" });
  expect(answer).toMatchObject({
    status: 404,
    body: {
      error: {
        message: 'the model "gpt-4" is not served here; there is "tiny"',
        type: "invalid_request_error",
        param: "model",
        code: "model_not_found",
      },
    },
  });
});

it("fields that change nothing are accepted, null as left out", async () => {
  const neutral = {
    presence_penalty: 0,
    frequency_penalty: null,
    logit_bias: {},
    user: "ann",
    n: null,
    stop: null,
  };
  const chat = {
    tools: [],
    tool_choice: "none",
    response_format: { type: "text" },
    store: false,
    metadata: {},
  };
  const completion = await ask("completions", {
    model: "tiny",
    prompt: "a",
    best_of: 1,
    suffix: null,
    ...neutral,
  });
  expect(completion.status).toBe(200);
  const messages = [{ role: "user", content: "a", name: null }];
  const answer = await ask("chat/completions", {
    model: "tiny",
    messages,
    max_tokens: 2,
    ...neutral,
    ...chat,
  });
  expect(answer.status).toBe(200);
});

it("a prompt that is left out is the beginning of a text", async () => {
  const { body } = await ask("completions", { model: "tiny", temperature: 0, seed: -5 });
  const [bos] = running.reference.encodePrompt("");
  const { text } = await running.reference.generate([bos], { maxNewTokens: 16 }).done;
  expect(body.choices[0].text).toBe(text);
});

describe("what is not a request", () => {
  it.each<[path: string, method: string, status: number, code: string]>([
    ["/v1/completions", "GET", 405, "method_not_allowed"],
    ["/v1/models", "POST", 405, "method_not_allowed"],
    ["/healthz", "POST", 405, "method_not_allowed"],
    ["/v1/completions", "OPTIONS", 405, "method_not_allowed"],
    ["/v1/embeddings", "POST", 404, "not_found"],
    ["/", "GET", 404, "not_found"],
  ])("%s %s", async (path, method, status, code) => {
    const body = method === "POST" ? {} : undefined;
    const answer = await send(running.server.url + path, method, body, { Origin: "https://example.com" });
    expect(answer).toMatchObject({ status, body: { error: { code } } });
    expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  it("a body that is not JSON, of another type, or too long", async () => {
    const failed = (status: number, code: string) => ({ status, body: { error: { code } } });
    expect(await ask("completions", "{")).toMatchObject(failed(400, "body_invalid"));
    expect(await ask("completions", "[1]")).toMatchObject(failed(400, "body_invalid"));
    const url = `${running.server.url}/v1/completions`;
    const form = { "Content-Type": "text/plain" };
    expect(await send(url, "POST", "{}", form)).toMatchObject(failed(415, "content_type_invalid"));
    const long = JSON.stringify({ model: "tiny", prompt: "a".repeat(100_000) });
    expect(await ask("completions", long)).toMatchObject(failed(413, "body_too_large"));
    const unannounced = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: new Blob([long]).stream(),
      duplex: "half",
    } as RequestInit);
    expect(unannounced.status).toBe(413);
    expect((await ask("completions", { model: "tiny", prompt: "a" })).status).toBe(200);
  });
});
