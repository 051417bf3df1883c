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
const special: Record<string, fc.Arbitrary<unknown>> = {
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
};

const sampling = [
  "temperature",
  "top_p",
  "n",
  "seed",
  "stop",
  "stream",
  "stream_options",
  "max_tokens",
  "logprobs",
];

it.each([
  [
    "PUT",
    "/api",
    ["prompts"],
    "tokens_to_generate logprobs temperature top_k top_p add_BOS random_seed no_log".split(" "),
  ],
  ["POST", "/v1/completions", ["model", "prompt"], [...sampling, "echo", "best_of", "suffix", "other"]],
  ["POST", "/v1/chat/completions", ["model", "messages"], [...sampling, "top_logprobs", "tools", "other"]],
])("%s %s answers any body, and never with an error of its own", async (method, path, required, optional) => {
  const answered = new Set<number>();
  // One or two of the other fields at a time, so that some requests get as far as the model.
  const bodies = fc
    .subarray(optional, { maxLength: 2 })
    .chain((names) =>
      fc.record(Object.fromEntries([...required, ...names].map((name) => [name, special[name] ?? small]))),
    );
  await fc.assert(
    fc.asyncProperty(bodies, async (body) => {
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
