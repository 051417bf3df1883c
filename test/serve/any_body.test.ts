import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { type RunningServer, runningServer, send } from "./running_server.js";

let running: RunningServer;
beforeAll(async () => {
  running = await runningServer({ limits: { newTokens: 16 } });
});

const small = fc.oneof(fc.integer({ min: -2, max: 6 }), fc.boolean(), fc.constant(null), fc.jsonValue());
const text = fc.oneof(
  fc.constantFrom("a", "the human", "", "tiny", "user", "assistant"),
  fc.string(),
  fc.jsonValue(),
);
const message = fc.oneof(fc.record({ role: text, content: text }, { requiredKeys: [] }), fc.jsonValue());
const fields: Record<string, fc.Arbitrary<unknown>> = {
  model: fc.oneof({ weight: 9, arbitrary: fc.constant("tiny") }, { weight: 1, arbitrary: text }),
  prompts: fc.oneof(text, fc.array(text, { maxLength: 3 })),
  prompt: fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.array(small, { maxLength: 3 })),
  messages: fc.oneof(
    fc.constant([{ role: "user", content: "a" }]),
    fc.array(message, { maxLength: 3 }),
    small,
  ),
  stop: fc.oneof(text, fc.array(text, { maxLength: 5 })),
  stream_options: fc.oneof(fc.record({ include_usage: small }), small),
  logit_bias: fc.jsonValue(),
  ...Object.fromEntries(
    [
      ...[
        "tokens_to_generate",
        "logprobs",
        "temperature",
        "top_k",
        "top_p",
        "add_BOS",
        "random_seed",
        "no_log",
      ],
      ...[
        "max_tokens",
        "max_completion_tokens",
        "n",
        "seed",
        "echo",
        "stream",
        "top_logprobs",
        "best_of",
        "suffix",
      ],
    ].map((name) => [name, small]),
  ),
};

it.each([
  ["PUT", "/api", ["prompts"]],
  ["POST", "/v1/completions", ["model", "prompt"]],
  ["POST", "/v1/chat/completions", ["model", "messages"]],
])("%s %s answers any body, and never with an error of its own", async (method, path, required) => {
  const requiredKeys = required as never[];
  const answered = new Set<number>();
  await fc.assert(
    fc.asyncProperty(fc.record(fields, { requiredKeys }), async (body) => {
      // A field or two at a time, so that some requests get as far as the model.
      const optional = Object.keys(body).filter((name) => !required.includes(name));
      for (const name of optional.slice(2)) delete (body as Record<string, unknown>)[name];
      const response = await fetch(running.server.url + path, {
        method,
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
      });
      const text = await response.text();
      answered.add(response.status);
      expect([200, 400, 404], `${JSON.stringify(body)} → ${text}`).toContain(response.status);
    }),
    { numRuns: 60 },
  );
  expect(answered.has(200) && answered.has(400)).toBe(true);
  expect(running.errors).toEqual([]);
  expect((await send(`${running.server.url}/healthz`, "GET", undefined)).status).toBe(200);
});
