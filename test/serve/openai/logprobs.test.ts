import { beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, runningServer, send } from "../running_server.js";

let running: RunningServer;
beforeAll(async () => {
  running = await runningServer();
});

const post = async (path: string, body: Record<string, unknown>) => {
  const answer = await send(`${running.server.url}/v1/${path}`, "POST", {
    model: "tiny",
    temperature: 0,
    ...body,
  });
  expect(answer.status).toBe(200);
  return answer.body;
};

describe("completions", () => {
  it("echo with max_tokens 0 scores token ids: what lm-eval and others ask for", async () => {
    const prompts = [
      [1, 40, 41, 300, 7, 8],
      [1, 50],
    ];
    const { choices, usage } = await post("completions", {
      prompt: prompts,
      max_tokens: 0,
      echo: true,
      logprobs: 1,
    });
    expect(choices).toHaveLength(2);
    for (const [index, ids] of prompts.entries()) {
      const { text, logprobs, finish_reason } = choices[index];
      expect(logprobs.token_logprobs).toEqual([null, ...(await running.reference.logprobs(ids))]);
      expect(logprobs.tokens).toHaveLength(ids.length);
      expect(logprobs.top_logprobs[0]).toBeNull();
      expect(text).toBe(running.reference.tokenizer.decode(ids));
      expect(finish_reason).toBe("length");
    }
    expect(usage).toEqual({ prompt_tokens: 8, completion_tokens: 0, total_tokens: 8 });
  });

  it("with max_tokens 1 the made token is one more, even if it ends the text", async () => {
    const ids = [1, 40, 41, 42];
    const made = (await running.reference.generate(ids, { maxNewTokens: 1 }).done).ids;
    const { server } = await runningServer({}, { eos_token_id: made[0] });
    const body = { model: "tiny", temperature: 0, prompt: ids, max_tokens: 1, echo: true, logprobs: 1 };
    const answer = (await send(`${server.url}/v1/completions`, "POST", body)).body;
    expect(answer.choices[0]).toMatchObject({ finish_reason: "stop", logprobs: { tokens: { length: 5 } } });
    expect(answer.usage.completion_tokens).toBe(1);
    expect(answer.choices[0].text).toBe(running.reference.tokenizer.decode(ids));
  });

  it("BOS has a place among the tokens, and no text", async () => {
    const { choices } = await post("completions", {
      prompt: "the human",
      max_tokens: 2,
      echo: true,
      logprobs: 0,
    });
    const { tokens, text_offset, token_logprobs, top_logprobs } = choices[0].logprobs;
    expect(choices[0].text.startsWith("the human")).toBe(true);
    expect(tokens.slice(0, 3)).toEqual(["<s>", " the", " human"]);
    expect(text_offset.slice(0, 3)).toEqual([0, 0, 3]);
    const ids = running.reference.encodePrompt("the human");
    const { ids: made } = await running.reference.generate(ids, { maxNewTokens: 2 }).done;
    expect(token_logprobs).toEqual([null, ...(await running.reference.logprobs([...ids, ...made]))]);
    expect(top_logprobs[1]).toEqual({ [tokens[1]]: token_logprobs[1] });
  });

  it("the most likely tokens, and the one that was drawn", async () => {
    const body = { prompt: "the human", temperature: 2, seed: 2, max_tokens: 30, logprobs: 3 };
    const { logprobs } = (await post("completions", body)).choices[0];
    let outside = 0;
    for (const [index, top] of logprobs.top_logprobs.entries()) {
      const name = logprobs.tokens[index];
      expect(top[name]).toBe(logprobs.token_logprobs[index]);
      expect([3, 4]).toContain(Object.keys(top).length);
      if (Object.keys(top).length === 4) outside++;
    }
    expect(outside).toBeGreaterThan(3);
  });

  it("offsets say where each token begins in the text, in characters", async () => {
    // 日 is one piece, 語 is three bytes, the fish is one character of two UTF-16 units.
    const { choices } = await post("completions", {
      prompt: "a日語🍣a",
      max_tokens: 0,
      echo: true,
      logprobs: 0,
    });
    expect(choices[0].text).toBe("a日語🍣a");
    expect(choices[0].logprobs).toMatchObject({
      tokens: ["<s>", " a", "日", "bytes:\\xe8", "bytes:\\xaa", "bytes:\\x9e", "🍣", "a"],
      text_offset: [0, 0, 1, 2, 2, 2, 3, 4],
    });
  });

  it("streamed with echo, the parts join to the whole", async () => {
    const body = { prompt: "the human", max_tokens: 20, temperature: 2, seed: 1, echo: true, logprobs: 2 };
    const whole = (await post("completions", body)).choices[0];
    const response = await fetch(`${running.server.url}/v1/completions`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ model: "tiny", ...body, stream: true }),
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const events = (await response.text()).split("\n\n");
    expect(events.slice(-2)).toEqual(["data: [DONE]", ""]);
    const choices = events.slice(0, -2).map((event) => JSON.parse(event.replace(/^data: /, "")).choices[0]);
    expect(choices.map(({ text }) => text).join("")).toBe(whole.text);
    for (const list of ["tokens", "token_logprobs", "top_logprobs", "text_offset"]) {
      expect(choices.flatMap(({ logprobs }) => logprobs?.[list] ?? [])).toEqual(whole.logprobs[list]);
    }
  });
});

it("echo alone, streamed, is the prompt", async () => {
  const response = await fetch(`${running.server.url}/v1/completions`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ model: "tiny", prompt: "the human", max_tokens: 0, echo: true, stream: true }),
  });
  const events = (await response.text()).trim().split("\n\n");
  const choices = events.slice(0, -1).map((event) => JSON.parse(event.replace(/^data: /, "")).choices[0]);
  expect(choices.map(({ text }) => text)).toEqual(["the human", ""]);
});

it("chat: an object for each token, with its bytes", async () => {
  const messages = [{ role: "user", content: "a" }];
  const body = { messages, max_tokens: 40, temperature: 2, seed: 6, logprobs: true, top_logprobs: 5 };
  const [{ message, logprobs }] = (await post("chat/completions", body)).choices;
  expect(logprobs).toEqual({ content: expect.any(Array), refusal: null });
  expect(logprobs.content).toHaveLength(40);
  for (const { token, logprob, bytes, top_logprobs } of logprobs.content) {
    expect(top_logprobs).toHaveLength(5);
    const same = top_logprobs.find((one: { token: string }) => one.token === token);
    if (same !== undefined) expect(same).toEqual({ token, logprob, bytes });
  }
  const bytes = logprobs.content.flatMap((one: { bytes: number[] | null }) => one.bytes ?? []);
  // Whole characters of the bytes are the answer; broken ones are U+FFFD in both, though not as many.
  const broken = /\ufffd+/g;
  const decoded = Buffer.from(bytes).toString("utf8").replace(broken, "\ufffd");
  expect(decoded.replace(/^ /, "")).toBe(message.content.replace(broken, "\ufffd"));
});
