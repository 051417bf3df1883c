import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { readItems } from "../../../src/evals/data/read_items.js";
import { runEval } from "../../../src/evals/run/run_eval.js";
import { findTask } from "../../../src/evals/tasks/index.js";
import { type LanguageModel, loadModel } from "../../../src/index.js";
import { failureOf } from "../../support/codes.js";
import { sharedOrSkip } from "../../support/shared.js";
import { temporaryDirectory } from "../../support/tiny_checkpoint.js";
import { linesOf } from "./support.js";

const directory = temporaryDirectory();

sharedOrSkip("eval-data", "splits of a run", (data) => {
  const run = async (model: LanguageModel, options: object, folder: string) => {
    const result = await runEval({
      model,
      task: "arc-easy",
      data,
      limit: 4,
      folder: `${directory}/${folder}`,
      progress: false,
      ...options,
    });
    const shots = linesOf(`${directory}/${folder}`).map((line) => JSON.parse(line).shot_id);
    return { manifest: result.manifest, shots, text: String(result) };
  };

  it("the release's is the default: questions and examples from validation", async () => {
    const model = await loadModel();
    const { manifest, text, shots } = await run(model, {}, "adept");
    expect(manifest).toMatchObject({
      preset: "adept",
      data: { split: "validation", items: 570 },
      shots: { split: "validation", items: 570 },
    });
    expect(text).toMatch(/^arc-easy validation, generate: partial 4\/570: /);
    expect(text).toContain("preset adept, 1 example from validation, seed 0");
    expect(shots.every((id) => typeof id === "string")).toBe(true);
  });

  it("a split of one's own has its examples in itself, or where they are said to be", async () => {
    const model = await loadModel();
    const own = await run(model, { split: "train" }, "own");
    expect(own.manifest).toMatchObject({
      preset: null,
      data: { split: "train", items: 2251 },
      shots: { split: "train" },
    });
    const apart = await run(model, { split: "validation", shotSplit: "train" }, "apart");
    expect(apart.manifest).toMatchObject({
      data: { split: "validation" },
      shots: { split: "train", items: 2251 },
    });
    expect(apart.text).toContain("1 example from train");
    const none = await run(model, { shots: 0 }, "none");
    expect(none.manifest).toMatchObject({ shots: null, settings: { shots: 0 } });
    expect(none.shots).toEqual([null, null, null, null]);
  });

  it("a split that is not there is said with those that are, and leaves no folder", async () => {
    const model = await loadModel();
    expect(await failureOf(run(model, { preset: "clean" }, "clean"))).toMatch(
      /^DATA_SPLIT_UNKNOWN: .*train, validation/,
    );
    expect(existsSync(`${directory}/clean`)).toBe(false);
  });
});

it("a split that only the default preset asks for is said to be so", async () => {
  const { items } = await readItems(findTask("arc-easy"), "demo");
  const rows = items.slice(0, 3).map((item) => JSON.stringify(item));
  const file = join(directory, "mine.jsonl");
  writeFileSync(file, `${rows.join("\n")}\n`);
  const model = await loadModel();
  const options = { model, task: "arc-easy", data: file, progress: false } as const;
  expect(await failureOf(runEval(options), directory)).toMatchInlineSnapshot(
    `"DATA_SPLIT_UNKNOWN: <directory>/mine.jsonl has no split "validation"; choose one of mine. The split "validation" is that of the preset "adept", which is the default: name the split of your data with \`split\` (--split)"`,
  );
  expect(await failureOf(runEval({ ...options, preset: "adept" }), directory)).toMatch(
    /choose one of mine\.$/,
  );
  expect((await runEval({ ...options, split: "mine" })).manifest).toMatchObject({ preset: null });
});
