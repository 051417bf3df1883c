import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { checkGenerate, generate, promptOf } from "../../src/cli/generate.js";
import { ProgressLine } from "../../src/cli/progress_line.js";
import { type Generation, TokenStream } from "../../src/generation/token_stream.js";
import type { GenerateOptions } from "../../src/index.js";
import { failureOf } from "../support/codes.js";

type Model = Parameters<typeof generate>[0];

/** A model that makes these words until it is stopped. */
function fakeModel(words: string[]) {
  const calls: { prompt: string; options: GenerateOptions }[] = [];
  const model = {
    encodePrompt: (prompt: string) => Array.from(prompt, () => 0),
    generate: (prompt: string, options: GenerateOptions) => {
      calls.push({ prompt, options });
      return new TokenStream(async (emit): Promise<Generation> => {
        const ids: number[] = [];
        options.onProgress?.({ stage: "prompt", loaded: 512, total: 1024 });
        for (const [id, text] of words.entries()) {
          await new Promise((resolve) => setImmediate(resolve));
          if (options.signal?.aborted) break;
          ids.push(id);
          emit({ id, text, logprob: -id });
        }
        const text = words.slice(0, ids.length).join("");
        return { text, ids, finish: ids.length < words.length ? "interrupted" : "length" };
      });
    },
  };
  return { calls, model: model as unknown as Model };
}

async function run(
  words: string[],
  text: string,
  options: Parameters<typeof generate>[2],
  onPart = () => {},
  progress?: Parameters<typeof generate>[4],
) {
  const { calls, model } = fakeModel(words);
  const parts: string[] = [];
  const write = (part: string) => {
    parts.push(part);
    onPart();
  };
  await generate(model, text, options, write, progress);
  return { calls, parts };
}

it("writes the text as it comes", async () => {
  const { calls, parts } = await run([" a", " b"], "Once", { maxNewTokens: 2 });
  expect(parts).toEqual([" a", " b", "\n"]);
  expect(calls[0]).toMatchObject({ prompt: "Once", options: { maxNewTokens: 2, logprobs: false } });
  expect(calls[0].options).not.toHaveProperty("stop");
});

it("says how far it is with a long prompt, and nothing any more once there is text", async () => {
  const said: string[] = [];
  const progress = new ProgressLine({ isTTY: true, write: (text: string) => said.push(text) > 0 } as never);
  await run([" a", " b"], "Once", {}, () => said.push("text"), progress);
  expect(said).toEqual(["\r\x1b[Kprompt 50 %", "\r\x1b[K", "text", "text", "text"]);
});

it("--chat puts the text into the chat format and stops at the next question", async () => {
  const { calls } = await run([" a"], "Hi", { chat: true, stop: ["."] });
  expect(calls[0]).toMatchObject({ prompt: "human: Hi\n\nadept:", options: { stop: [".", "\n\nhuman:"] } });
});

it("--json prints one object with the text, the ids and the speed", async () => {
  const { parts } = await run([" a", " b", " c"], "Once", { json: true, logprobs: true });
  expect(parts).toHaveLength(1);
  const report = JSON.parse(parts[0]);
  expect(report).toMatchObject({
    prompt: "Once",
    promptTokens: 4,
    text: " a b c",
    ids: [0, 1, 2],
    finish: "length",
    logprobs: [0, -1, -2],
  });
  expect(report.secondsToFirstToken).toBeGreaterThan(0);
  expect(report.tokensPerSecond).toBeGreaterThan(0);
});

it("one token has no speed", async () => {
  const { parts } = await run([" a"], "Once", { json: true });
  expect(JSON.parse(parts[0])).toMatchObject({ tokensPerSecond: null });
  expect(JSON.parse(parts[0])).not.toHaveProperty("logprobs");
});

it("Ctrl-C ends the generation and prints what was made; the handler goes away", async () => {
  const before = process.listenerCount("SIGINT");
  const { parts } = await run([" a", " b", " c"], "Once", {}, () => process.emit("SIGINT"));
  expect(parts.at(-1)).toBe("\n");
  expect(parts.length).toBeLessThan(4);
  expect(process.listenerCount("SIGINT")).toBe(before);
});

it("reads standard input where no text is given", async () => {
  expect(await promptOf("Once", Readable.from(["not read"]))).toBe("Once");
  expect(await promptOf(undefined, Readable.from(["Once", " upon\n"]))).toBe("Once upon\n");
});

it.each([
  ["an empty argument", "", []],
  ["an empty input", undefined, []],
])("%s is no prompt, as on a terminal", async (_, given, parts) => {
  const message =
    'PROMPT_EMPTY: there is no prompt: `persimmon generate "Once upon a time"`, or text on standard input';
  expect(await failureOf(promptOf(given, Readable.from(parts)))).toBe(message);
  const terminal = Object.assign(Readable.from(["not read"]), { isTTY: true });
  expect(await failureOf(promptOf(undefined, terminal))).toBe(message);
});

it("refuses before it loads what would have no effect", () => {
  expect(() => checkGenerate({ logprobs: true })).toThrow(
    "--logprobs has no effect without --json, which prints them",
  );
  expect(() => checkGenerate({ topK: 5 })).toThrow("topK has no effect without a temperature");
  expect(checkGenerate({ logprobs: true, json: true, topK: 5, temperature: 0.7 })).toBeUndefined();
});
