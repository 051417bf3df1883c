import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { evalCommand, runTask } from "../../src/cli/eval.js";
import { type LanguageModel, loadModel } from "../../src/index.js";
import { failureOf } from "../support/codes.js";

const directory = mkdtempSync(join(tmpdir(), "persimmon-cli-eval-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
let model: LanguageModel;
beforeAll(async () => {
  model = await loadModel();
});

const flags = {
  data: "demo",
  limit: 6,
  shotSeeds: [0],
  finalNewline: true,
  prompts: true,
  execute: true,
};

async function run(more: Partial<Parameters<typeof runTask>[2]> = {}): Promise<string> {
  let text = "";
  await runTask(model, "arc-easy", { ...flags, ...more }, (part) => {
    text += part;
  });
  return text;
}

/** Runs `persimmon eval …`; what it prints on standard output. */
async function command(...args: string[]): Promise<string> {
  let text = "";
  const spy = vi.spyOn(process.stdout, "write").mockImplementation((part) => {
    text += part;
    return true;
  });
  try {
    await evalCommand().parseAsync(["node", "eval", ...args]);
  } finally {
    spy.mockRestore();
  }
  return text;
}

describe("persimmon eval", () => {
  it("prints the score with its split, the time and the speed", async () => {
    const text = await run();
    expect(text).toMatch(/^arc-easy demo, generate: partial 6\/394: \d+\.\d % \(95 % interval /);
    expect(text).toMatch(/, \d+\.\d s, [\d,]+ tokens\/s \([\d,]+ of prompts, \d+ generated\)\n/);
  });

  it("--json prints the summary, of several seeds a list of them", async () => {
    expect(JSON.parse(await run({ json: true }))).toMatchObject({ task: "arc-easy", split: "demo", n: 6 });
    const two = JSON.parse(await run({ json: true, shotSeeds: [0, 1] }));
    expect(two).toHaveLength(2);
    expect(two[0].fingerprint).not.toBe(two[1].fingerprint);
    // What Adept's release leaves open: EVALS.md, section 1.
    expect(two[1]).toMatchObject({
      preset: null,
      data: { split: "demo", items: 394 },
      shots: { split: "demo" },
      task_version: 1,
      settings: {
        final_newline: true,
        instruction_prefix: "",
        chat: false,
        bos: true,
        shots: 1,
        shot_seed: 1,
        max_new_tokens: 8,
        stop: [expect.any(String)],
        temperature: 0,
      },
    });
  });

  it("--shot-seeds runs each in a folder of its own and says how far they are apart", async () => {
    const folder = join(directory, "seeds");
    const text = await run({ shotSeeds: [0, 1, 2], folder });
    expect(text).toContain(`${folder}/seed-2\n`);
    expect(text).toMatch(/over 3 choices of examples: mean \d+\.\d %, \d+\.\d–\d+\.\d %\n$/);
  });

  it("flags become options of the run", async () => {
    const { settings } = await import("../../src/index.js").then(async ({ loadRun }) => {
      const folder = join(directory, "flags");
      await run({ folder, bos: false, shots: 0, chat: true, batch: 3, maxNewTokens: 5, prompts: false });
      return (await loadRun(folder)).manifest;
    });
    expect(settings).toMatchObject({
      bos: false,
      shots: 0,
      chat: true,
      batch_size: 3,
      max_new_tokens: 5,
      keep_prompts: false,
    });
  });
});

describe("persimmon eval COMMAND", () => {
  it("score, compare and merge work on the folders of runs", async () => {
    const [a, b, whole] = ["a", "b", "whole"].map((name) => join(directory, name));
    await command("arc-easy", "--data", "demo", "--limit", "6", "--shard", "0/2", "--folder", a);
    await command("run", "arc-easy", "--data", "demo", "--limit", "6", "--shard", "1/2", "--folder", b);
    expect(await command("merge", whole, a, b)).toMatch(/^arc-easy demo, generate: partial 6\/394/);
    expect(JSON.parse(await command("score", whole, "--json"))).toMatchObject({ n: 6 });
    expect(await command("compare", whole, a)).toMatch(/^arc-easy demo: ±0\.0 /);
    const likely = join(directory, "likely");
    await command("arc-easy", "--data", "demo", "--limit", "6", "--method", "likelihood", "--folder", likely);
    const comparison = JSON.parse(await command("compare", whole, likely, "--json"));
    expect(comparison).toMatchObject({ n: 6 });
    const listed = await command("compare", whole, likely, "--flips");
    expect(listed.split("\n").filter((line) => /^(gained|lost) {2}demo\/arc/.test(line))).toHaveLength(
      comparison.flips.length,
    );
  });

  it("errors have codes, and a wrong task is said before a model is loaded", async () => {
    expect(await failureOf(command("nope"))).toMatch(/^TASK_UNKNOWN/);
    expect(await failureOf(command("score", directory))).toMatch(/^RUN_MISSING/);
    expect(await failureOf(command("merge", join(directory, "m"), directory))).toMatch(/^RUN_MISSING/);
  });

  it("the help has the options of a run", () => {
    let help = "";
    evalCommand()
      .configureOutput({ writeOut: (text) => (help += text) })
      .outputHelp();
    for (const word of ["score", "compare", "merge", "--shot-seeds", "--preset", "--no-bos", "--shard"]) {
      expect(help).toContain(word);
    }
    expect(help.replace(/\s+/g, " ")).toContain("with other examples, such as 0,1,2 (default: 0)");
  });
});
