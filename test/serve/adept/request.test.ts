import { beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, runningServer, send } from "../running_server.js";

let running: RunningServer;
beforeAll(async () => {
  running = await runningServer();
});

const api = (body: unknown, method = "PUT") => send(`${running.server.url}/api`, method, body);

// Texts and statuses of persimmon-ai-labs/adept-inference 61743d0, megatron/text_generation_server.py.
const tokens = "tokens_to_generate must be an integer greater than 0";
const leastTokens = "tokens_to_generate must be an integer greater than or equal to 0";
const scoring = "tokens_to_generate=0 implies logprobs should be True";
const temperature = "temperature must be a positive number less than or equal to 100.0";
const topKType = "top_k must be an integer equal to or greater than 0 and less than or equal to 1000";
const topKRange = "top_k must be equal to or greater than 0 and less than or equal to 1000";
const topPType = "top_p must be a positive float less than or equal to 1.0";
const topPRange = "top_p must be less than or equal to 1.0";
const both = "cannot set both top-k and top-p samplings.";

describe("what Adept's server refuses, in its words", () => {
  it.each<[fields: Record<string, unknown>, status: number, text: string]>([
    [{ max_len: 3 }, 400, "max_len is no longer used.  Replace with tokens_to_generate"],
    [{ sentences: ["a"] }, 400, "sentences is no longer used.  Replace with prompts"],
    [{ max_len: 3, sentences: [] }, 400, "max_len is no longer used.  Replace with tokens_to_generate"],
    [{ prompts: Array(129).fill("a") }, 400, "Maximum number of prompts is 128"],
    [{ tokens_to_generate: "64" }, 200, tokens],
    [{ tokens_to_generate: 1.5 }, 200, tokens],
    [{ tokens_to_generate: null }, 200, tokens],
    [{ tokens_to_generate: true }, 200, tokens],
    [{ tokens_to_generate: -1 }, 200, leastTokens],
    [{ tokens_to_generate: 0 }, 200, scoring],
    [{ tokens_to_generate: 0, logprobs: false }, 200, scoring],
    [{ logprobs: 1 }, 200, "logprobs must be a boolean value"],
    [{ logprobs: null }, 200, "logprobs must be a boolean value"],
    [{ temperature: "1" }, 200, temperature],
    [{ temperature: null }, 200, temperature],
    [{ temperature: 0 }, 200, temperature],
    [{ temperature: -0.1 }, 200, temperature],
    [{ temperature: 100.1 }, 200, temperature],
    [{ top_k: "1" }, 200, topKType],
    [{ top_k: 0.5 }, 200, topKType],
    [{ top_k: -1 }, 200, topKRange],
    [{ top_k: 1001 }, 200, topKRange],
    [{ top_p: "0.9" }, 200, topPType],
    [{ top_p: null }, 200, topPType],
    [{ top_p: -0.1 }, 200, topPRange],
    [{ top_p: 1.1 }, 200, topPRange],
    [{ top_p: 1.1, top_k: 1 }, 200, both],
    [{ top_p: 0.9, top_k: 5 }, 200, both],
    [{ add_BOS: "yes" }, 200, "add_BOS must be a boolean value"],
    [{ random_seed: "1234" }, 200, "random_seed must be integer"],
    [{ random_seed: 0.5 }, 200, "random_seed must be integer"],
    [{ random_seed: -1 }, 200, "random_seed must be a positive integer"],
    [{ no_log: 0 }, 200, "no_log must be a boolean value"],
    [{ prompts: "" }, 200, "Empty prompts require add_BOS=true"],
    [{ prompts: ["a", ""] }, 200, "Empty prompts require add_BOS=true"],
    [{ prompts: "a".repeat(600) }, 200, "Length of subsequence prompt exceeds sequence length."],
    // The first check that fails is the one that answers.
    [{ random_seed: -1, temperature: 0, top_k: -1 }, 200, temperature],
  ])("%j", async (fields, status, text) => {
    const answer = await api({ prompts: ["a"], ...fields });
    expect(answer.body).toBe(text);
    expect(answer.status).toBe(status);
  });

  it("no prompts", async () => {
    expect(await api({})).toMatchObject({ status: 400, body: "prompts argument required" });
  });
});

describe("where Adept's server fails, this one says why", () => {
  it.each<[body: unknown, status: number, text: RegExp]>([
    [{ prompts: [] }, 400, /^prompts must be a text or a list of texts, at least one$/],
    [{ prompts: null }, 400, /^prompts must be a text/],
    [{ prompts: [1, 2] }, 400, /^prompts must be a text/],
    [{ prompts: [["a"]] }, 400, /^prompts must be a text/],
    ["{", 400, /^the body is not JSON: /],
    ["[]", 400, /^the body must be a JSON object, got a list$/],
    ["null", 400, /^the body must be a JSON object, got null$/],
  ])("%j", async (body, status, text) => {
    const answer = await api(body);
    expect(answer).toMatchObject({ status, body: expect.stringMatching(text) });
  });

  it("another method", async () => {
    const answer = await api({ prompts: ["a"] }, "POST");
    expect(answer).toMatchObject({ status: 405, body: "/api takes PUT, not POST" });
    expect(answer.headers.get("allow")).toBe("PUT");
  });
});

it("limits are themselves allowed, and fields that it does not know are ignored", async () => {
  const fields = {
    temperature: 100,
    top_k: 1000,
    top_p: 0,
    random_seed: 0,
    no_log: true,
    add_BOS: true,
    other: 1,
  };
  const answer = await api({ prompts: "", tokens_to_generate: 1, ...fields });
  expect(answer).toMatchObject({ status: 200, body: { logprobs: null } });
  expect(
    (await api({ prompts: "a", top_p: 1, temperature: 0.0001, tokens_to_generate: 1 })).body.text,
  ).toHaveLength(1);
  expect((await api({ prompts: Array(128).fill("a"), tokens_to_generate: 1 })).body.text).toHaveLength(128);
});
