import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { failureOf } from "../../support/codes.js";
import { linesOf } from "../run/support.js";
import type { Misbehaviour } from "./fake_jupyter.js";
import { fake, localRun, run, sorted } from "./fake_runs.js";

const local = localRun();

type Fields = Record<string, unknown>;

describe("replies that are wrong", () => {
  const tampered = (change: (sample: Fields, message: Fields) => void) => ({
    shown: (message: { samples: Fields[] }, cell: number) => {
      if (cell > 0) change(message.samples[0], message);
      return message;
    },
  });

  it.each([
    [
      "another prompt",
      tampered((sample) => (sample.prompt_sha256 = "0")),
      /should have "\w{64}" as prompt_sha256, found "0"/,
    ],
    [
      "another example",
      tampered((sample) => (sample.shot_id = "x")),
      /should have ".*" as shot_id, found "x"/,
    ],
    [
      "another run",
      tampered((sample) => (sample.fingerprint = "0")),
      /should have "\w{64}" as fingerprint, found "0"/,
    ],
    [
      "ids that are none",
      tampered((sample) => (sample.generated_ids = [1.5])),
      /a list of token ids as generated_ids/,
    ],
    ["no text", tampered((sample) => delete sample.text), /a text as text, found nothing/],
    [
      "an end that is none",
      tampered((sample) => (sample.finish = "interrupted")),
      /as finish, found "interrupted"/,
    ],
    [
      "an item that was not asked for",
      tampered((sample) => (sample.id = "?")),
      /expected samples that were asked for, each once/,
    ],
    [
      "an item twice",
      tampered((sample, message) => (message.samples = [sample, sample])),
      /asked for, each once/,
    ],
    [
      "no list",
      tampered((_, message) => (message.samples = null)),
      /expected finished samples and their numbers of tokens/,
    ],
    [
      "another kind",
      tampered((_, message) => (message.kind = "poem")),
      /expected finished samples, found \{"kind":"poem"/,
    ],
    [
      "no message",
      { shown: (message: unknown, cell: number) => (cell > 0 ? 7 : message) },
      /expected a message of an evaluation, found 7/,
    ],
  ])("%s", async (_, misbehaviour, message) => {
    const server = await fake(misbehaviour as Misbehaviour);
    const folder = join(local.directory, `wrong ${_}`);
    expect(await failureOf(run([server], { folder }))).toMatch(
      new RegExp(`^EVAL_SERVER_REPLY_INVALID: ${server.url}: .*${message.source}`),
    );
    expect(linesOf(folder)).toEqual([]);
    expect(server.kernels.size).toBe(0);
    // What is right is right still.
    await run([await fake()], { folder });
    expect(sorted(folder)).toEqual(local.whole);
  });
});
