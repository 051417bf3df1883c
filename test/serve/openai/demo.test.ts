import OpenAI from "openai";
import { afterAll, beforeAll, expect, it } from "vitest";
import { loadModel } from "../../../src/load_model.js";
import { ModelServer } from "../../../src/serve/server.js";

// The bundled model speaks: answers begin with a space, and its BOS, |ENDOFTEXT|, is a piece with text.
const model = "demo";
let server: ModelServer;
let client: OpenAI;
beforeAll(async () => {
  server = await ModelServer.start(await loadModel(), { port: 0, modelName: model });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: "none", maxRetries: 0 });
});
afterAll(() => server.stop());

it("an echoed text does not show the BOS that was put in front of it", async () => {
  const request = {
    model,
    prompt: "Once upon a time",
    echo: true,
    logprobs: 0,
    max_tokens: 1,
    temperature: 0,
  };
  const [{ text, logprobs }] = (await client.completions.create(request)).choices;
  expect(text).toBe("Once upon a time,");
  expect(logprobs).toMatchObject({
    tokens: ["|ENDOFTEXT|", " Once", " upon", " a", " time", ","],
    text_offset: [0, 0, 4, 9, 11, 16],
  });
});

it("an answer begins with its first word, in parts as in whole", async () => {
  const question = "Tell me a story.";
  const reference = await loadModel();
  const { text } = await reference.generate(`human: ${question}\n\nadept:`, { maxNewTokens: 12 }).done;
  expect(text).toMatch(/^ \S/);
  const messages = [{ role: "user" as const, content: question }];
  const request = { model, messages, max_tokens: 12, temperature: 0 };
  const [{ message }] = (await client.chat.completions.create(request)).choices;
  expect(message.content).toBe(text.slice(1));
  let streamed = "";
  for await (const { choices } of await client.chat.completions.create({ ...request, stream: true })) {
    streamed += choices[0].delta.content ?? "";
  }
  expect(streamed).toBe(text.slice(1));
});
