import { beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, runningServer, send } from "../running_server.js";

const tokenizer = () => running.reference.tokenizer;

let running: RunningServer;
beforeAll(async () => {
  running = await runningServer();
});

const put = async (body: Record<string, unknown>) => {
  const answer = await send(`${running.server.url}/api`, "PUT", body);
  expect(answer.status).toBe(200);
  return answer.body;
};

it("GET /healthz", async () => {
  const answer = await send(`${running.server.url}/healthz`, "GET", undefined);
  expect(answer).toMatchObject({ status: 200, body: { success: true } });
});

it("answers the request of Adept's README with the documented fields and no other", async () => {
  const [prompt] = ["human: Hello, how are you?\n\nadept:"];
  const request = {
    prompts: [prompt],
    tokens_to_generate: 128,
    top_p: 0.9,
    random_seed: 1234,
    logprobs: false,
  };
  const answer = await put(request);
  const ids = tokenizer().encode(prompt);
  const drawn = { maxNewTokens: 128, temperature: 1, topP: 0.9, seed: 1234 };
  const generation = await running.reference.generate(ids, drawn).done;
  expect(answer).toEqual({
    text: [tokenizer().decode([...ids, ...generation.ids])],
    logprobs: null,
    generations: [tokenizer().decode(generation.ids)],
    human_readable_tokens: [expect.any(Array)],
  });
});

it("top_k 1 is greedy, 64 tokens are the default, and no BOS", async () => {
  const ids = tokenizer().encode("the human");
  const { ids: made } = await running.reference.generate(ids, { maxNewTokens: 64 }).done;
  expect((await put({ prompts: "the human", top_k: 1 })).generations).toEqual([tokenizer().decode(made)]);
});

it("add_BOS puts the end-of-text token first", async () => {
  // The tiny vocabulary has no |ENDOFTEXT|: Adept's rule is then the file's end piece, </s>, which is 2.
  const ids = [2, ...tokenizer().encode("the")];
  const { ids: made } = await running.reference.generate(ids, { maxNewTokens: 20 }).done;
  const answer = await put({ prompts: "the", add_BOS: true, top_k: 1, tokens_to_generate: 20 });
  expect(answer.generations).toEqual([tokenizer().decode(made)]);
  expect(answer.text).toEqual([tokenizer().decode([...ids, ...made])]);
});

describe("logprobs", () => {
  it("are those of tokens 1 to n − 1, the prompt's and the made ones", async () => {
    const ids = tokenizer().encode("the human and a");
    const { ids: made } = await running.reference.generate(ids, { maxNewTokens: 12 }).done;
    const expected = await running.reference.logprobs([...ids, ...made]);
    const answer = await put({
      prompts: ["the human and a"],
      tokens_to_generate: 12,
      top_k: 1,
      logprobs: true,
    });
    expect(answer.logprobs).toEqual([Array.from(expected)]);
    expect(answer.logprobs[0]).toHaveLength(ids.length + made.length - 1);
  });

  it("a temperature does not change them", async () => {
    const body = {
      prompts: "the human",
      tokens_to_generate: 4,
      temperature: 50,
      random_seed: 3,
      logprobs: true,
    };
    const { logprobs, text } = await put(body);
    expect(text).not.toEqual((await put({ ...body, top_k: 1 })).text);
    const drawn = { maxNewTokens: 4, temperature: 50, seed: 3 };
    const ids = tokenizer().encode("the human");
    const made = (await running.reference.generate(ids, drawn).done).ids;
    expect(logprobs).toEqual([Array.from(await running.reference.logprobs([...ids, ...made]))]);
  });

  it("tokens_to_generate 0 scores alone", async () => {
    const prompts = ["the human", "a"];
    const answer = await put({ prompts, tokens_to_generate: 0, logprobs: true });
    const expected = await Promise.all(
      prompts.map(async (text) => Array.from(await running.reference.logprobs(tokenizer().encode(text)))),
    );
    expect(answer).toEqual({ text: prompts, logprobs: expected, generations: [], human_readable_tokens: [] });
  });
});

it("prompts of one request are each answered as alone, prompt i with the seed random_seed + i", async () => {
  const prompts = ["the human", "a, b and c: 日本", "x"];
  const common = { tokens_to_generate: 20, temperature: 1.5, logprobs: true };
  const together = await put({ ...common, prompts, random_seed: 70 });
  for (const [index, prompt] of prompts.entries()) {
    const alone = await put({ ...common, prompts: prompt, random_seed: 70 + index });
    for (const [field, [value]] of Object.entries<unknown[]>(alone)) {
      expect(together[field][index]).toEqual(value);
    }
  }
});

it("what ends the text belongs to the generation", async () => {
  // Ids 10 to 20 all end a text, so some seed soon draws one; the text is then shorter than asked for.
  const { server, reference } = await runningServer(
    {},
    { eos_token_id: Array.from({ length: 100 }, (_, id) => id + 3) },
  );
  const answer = await send(`${server.url}/api`, "PUT", { prompts: "the", top_k: 1, logprobs: true });
  const ids = reference.tokenizer.encode("the");
  const { ids: made, finish } = await reference.generate(ids).done;
  expect(finish).toBe("eos");
  expect(made.length).toBeLessThan(64);
  expect(answer.body.generations).toEqual([reference.tokenizer.decode(made)]);
  expect(answer.body.logprobs[0]).toHaveLength(ids.length + made.length - 1);
});

it("a prompt with too little room for what is asked gets less", async () => {
  const prompt = "a".repeat(510);
  const ids = tokenizer().encode(prompt);
  expect(ids).toHaveLength(510);
  const answer = await put({ prompts: prompt, tokens_to_generate: 100, top_k: 1, logprobs: true });
  expect(answer.logprobs[0]).toHaveLength(511);
  const full = await put({ prompts: "a".repeat(512), tokens_to_generate: 100 });
  expect(full.generations).toEqual([""]);
});

it("human_readable_tokens are the pieces of the generation, encoded anew", async () => {
  const answer = await put({ prompts: "the", tokens_to_generate: 40, temperature: 3, random_seed: 1 });
  const [text] = answer.generations;
  const pieces = tokenizer()
    .encode(text)
    .map((id) => tokenizer().pieceOf(id));
  expect(pieces.some((piece) => piece.includes("▁"))).toBe(true);
  expect(answer.human_readable_tokens[0].join("")).toBe(
    pieces.join("").replaceAll("▁", " ").replace(/^ /, ""),
  );
  expect(answer.human_readable_tokens[0]).toHaveLength(pieces.length);
});
