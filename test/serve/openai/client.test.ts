import OpenAI from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import { patience, type RunningServer, runningServer } from "../running_server.js";

let running: RunningServer;
let client: OpenAI;
beforeAll(async () => {
  running = await runningServer();
  client = new OpenAI({ baseURL: `${running.server.url}/v1`, apiKey: "none", maxRetries: 0 });
});

const model = "tiny";
const messages = [{ role: "user" as const, content: " a human \n" }];
const chatIds = () => running.reference.encodePrompt("human: a human\n\nadept:");

describe("the openai client: models", () => {
  it("lists the model and finds it by name", async () => {
    const expected = { id: "tiny", object: "model", owned_by: "persimmon", created: expect.any(Number) };
    expect((await client.models.list()).data).toEqual([expect.objectContaining(expected)]);
    expect(await client.models.retrieve("tiny")).toMatchObject(expected);
    await expect(client.models.retrieve("other")).rejects.toMatchObject({
      status: 404,
      code: "model_not_found",
    });
  });
});

describe("the openai client: completions", () => {
  it("16 tokens at temperature 1 unless asked otherwise, from a text with BOS", async () => {
    const answer = await client.completions.create({ model, prompt: "the human", seed: 9 });
    const ids = running.reference.encodePrompt("the human");
    const { text } = await running.reference.generate(ids, { maxNewTokens: 16, temperature: 1, seed: 9 })
      .done;
    expect(answer).toEqual({
      id: expect.stringMatching(/^cmpl-[0-9a-f]{32}$/),
      object: "text_completion",
      created: expect.any(Number),
      model,
      choices: [{ text, index: 0, logprobs: null, finish_reason: "length" }],
      usage: { prompt_tokens: ids.length, completion_tokens: 16, total_tokens: ids.length + 16 },
    });
  });

  it("streams: the parts are the whole, the usage comes last, and the stream ends", async () => {
    const request = { model, prompt: "the human", max_tokens: 40, seed: 3, temperature: 1.2 };
    const whole = await client.completions.create(request);
    const stream = await client.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.length).toBeGreaterThan(10);
    const last = chunks.pop();
    expect(last).toMatchObject({ choices: [], usage: whole.usage });
    expect(chunks.map(({ choices }) => choices[0].text).join("")).toBe(whole.choices[0].text);
    expect(chunks.map(({ choices }) => choices[0].finish_reason).filter((one) => one !== null)).toEqual([
      "length",
    ]);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect(chunks.every(({ usage }) => usage === null)).toBe(true);
  });

  it("n texts of several prompts, prompts first; each drawn with a seed of its own", async () => {
    const prompt = ["the", "a human"];
    const { choices, usage } = await client.completions.create({
      model,
      prompt,
      n: 3,
      seed: 5,
      max_tokens: 20,
    });
    expect(choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(new Set(choices.map(({ text }) => text)).size).toBe(6);
    for (const [index, { text }] of choices.entries()) {
      const options = { maxNewTokens: 20, temperature: 1, seed: 5 + index };
      const alone = await running.reference.generate(prompt[Math.floor(index / 3)], options).done;
      expect(text).toBe(alone.text);
    }
    const lengths = prompt.map((text) => running.reference.encodePrompt(text).length);
    expect(usage?.prompt_tokens).toBe(lengths[0] + lengths[1]);
  });

  it("ends before a stop text, of up to four", async () => {
    const greedy = { model, prompt: "the human", temperature: 0, max_tokens: 40 };
    const { text } = (await client.completions.create(greedy)).choices[0];
    const at = Math.floor(text.length / 2);
    const stop = ["never there", text.slice(at, at + 3)];
    const [choice] = (await client.completions.create({ ...greedy, stop })).choices;
    expect(choice).toMatchObject({ text: text.slice(0, text.indexOf(stop[1])), finish_reason: "stop" });
    const streamed = [];
    for await (const chunk of await client.completions.create({ ...greedy, stop, stream: true })) {
      streamed.push(chunk.choices[0].text);
    }
    expect(streamed.join("")).toBe(choice.text);
  });

  it("top_p 0 takes the most likely token", async () => {
    const request = { model, prompt: "the human", max_tokens: 20 };
    const [nucleus] = (await client.completions.create({ ...request, top_p: 0 })).choices;
    expect(nucleus).toEqual((await client.completions.create({ ...request, temperature: 0 })).choices[0]);
  });
});

describe("the openai client: chat", () => {
  it("wraps the question, and takes the space of the format off the answer", async () => {
    const answer = await client.chat.completions.create({
      model,
      messages,
      max_completion_tokens: 30,
      seed: 4,
    });
    const ids = chatIds();
    const options = { maxNewTokens: 30, temperature: 1, seed: 4, stop: "\n\nhuman:" };
    const { text, finish } = await running.reference.generate(ids, options).done;
    expect(finish).toBe("length");
    expect(answer).toEqual({
      id: expect.stringMatching(/^chatcmpl-[0-9a-f]{32}$/),
      object: "chat.completion",
      created: expect.any(Number),
      model,
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: text.replace(/^ /, ""), refusal: null },
          logprobs: null,
          finish_reason: "length",
        },
      ],
      usage: { prompt_tokens: ids.length, completion_tokens: 30, total_tokens: ids.length + 30 },
    });
  });

  it("earlier turns come first", async () => {
    const turns = [
      { role: "user" as const, content: "a" },
      { role: "assistant" as const, content: "the" },
      {
        role: "user" as const,
        content: [
          { type: "text" as const, text: "hu" },
          { type: "text" as const, text: "man" },
        ],
      },
    ];
    const { usage, choices } = await client.chat.completions.create({
      model,
      messages: turns,
      temperature: 0,
      max_tokens: 10,
    });
    const prompt = "human: a\n\nadept: the\n\nhuman: human\n\nadept:";
    expect(usage?.prompt_tokens).toBe(running.reference.encodePrompt(prompt).length);
    const { text } = await running.reference.generate(prompt, { maxNewTokens: 10 }).done;
    expect(choices[0].message.content).toBe(text.replace(/^ /, ""));
  });

  it("streams: the role, the parts of the whole, a reason, the usage", async () => {
    const request = { model, messages, max_tokens: 40, n: 2, seed: 8, logprobs: true, top_logprobs: 2 };
    const whole = await client.chat.completions.create(request);
    const chunks = [];
    const stream = await client.chat.completions.create({
      ...request,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
    for (const index of [0, 1]) {
      const parts = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
      expect(parts[0].delta).toEqual({ role: "assistant", content: "" });
      expect(parts.at(-1)).toMatchObject({ delta: {}, finish_reason: "length" });
      const { message, logprobs } = whole.choices[index];
      expect(parts.map(({ delta }) => delta.content ?? "").join("")).toBe(message.content);
      expect(parts.flatMap((part) => part.logprobs?.content ?? [])).toEqual(logprobs?.content);
    }
    expect(whole.choices[0].message.content).not.toBe(whole.choices[1].message.content);
  });

  it("without a limit it goes on to the end of the context", async () => {
    const { usage } = await client.chat.completions.create({ model, messages, temperature: 0 });
    const { ids } = await running.reference.generate(chatIds(), { maxNewTokens: 600, stop: "\n\nhuman:" })
      .done;
    expect(usage?.completion_tokens).toBe(ids.length);
    expect(ids.length).toBeGreaterThan(256);
  });
});

it("a client that leaves in the middle gives its place back", async () => {
  const stream = await client.completions.create({ model, prompt: "the", max_tokens: 400, stream: true });
  for await (const _ of stream) break;
  stream.controller.abort();
  await expect.poll(() => running.server.load, patience).toEqual({ running: 0, waiting: 0, requests: 0 });
  expect(running.errors).toEqual([]);
});
