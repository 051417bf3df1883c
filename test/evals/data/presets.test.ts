import { describe, expect, it } from "vitest";
import { presetSplits, presets, presetText } from "../../../src/evals/data/presets.js";
import { builtInNames } from "../../../src/evals/tasks/built_in_names.js";
import { codeOf } from "../../support/codes.js";

describe("presets", () => {
  it("have every built-in task", () => {
    for (const preset of Object.values(presets))
      expect(Object.keys(preset).sort()).toEqual([...builtInNames].sort());
  });

  // EVALS.md, section 1.
  it("adept takes examples from the split of the question, clean never from a test set that has another", () => {
    for (const { questions, shots } of Object.values(presets.adept)) expect(shots).toBe(questions);
    expect(presetSplits("adept", "arc-easy")).toEqual({ questions: "validation", shots: "validation" });
    expect(presetSplits("adept", "mmlu").questions).toBe("test");
    expect(presetSplits("clean", "arc-challenge")).toEqual({ questions: "test", shots: "train" });
    for (const [task, { questions, shots }] of Object.entries(presets.clean)) {
      if (task !== "humaneval") expect(shots).not.toBe(questions);
    }
  });

  it("the bundled items have one split", () => {
    expect(presetSplits("clean", "arc-easy", "demo")).toEqual({ questions: "demo", shots: "demo" });
  });

  it.each([
    [null, "validation", "validation", "no preset"],
    ["adept", "validation", "validation", "preset adept"],
    ["adept", "demo", "demo", "preset adept"],
    ["clean", "test", "train", "preset clean"],
    ["clean", "test", undefined, "preset clean"],
    ["clean", "validation", "train", "preset clean but for questions from validation"],
    ["adept", "validation", "train", "preset adept but for examples from train"],
    ["adept", "test", "train", "preset adept but for questions from test and examples from train"],
  ])("%s, asking %s with examples from %s: %s", (preset, questions, shots, text) => {
    expect(presetText(preset, { task: "arc-easy", questions, shots })).toBe(text);
  });

  it("refuse other names", () => {
    expect(codeOf(() => presetSplits("mine", "arc-easy"))).toBe("PRESET_UNKNOWN");
    expect(codeOf(() => presetSplits("toString", "arc-easy"))).toBe("PRESET_UNKNOWN");
    expect(codeOf(() => presetSplits("adept", "capitals"))).toBe("PRESET_UNKNOWN");
  });
});
