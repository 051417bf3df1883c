import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readItems } from "../../../src/evals/data/index.js";
import { type HumanEvalItem, humaneval } from "../../../src/evals/tasks/index.js";
import { endOfAnswerLine, endOfIndentedBlock } from "../../../src/evals/tasks/stops.js";
import { sharedOrSkip } from "../../support/shared.js";

/** The text up to a stop, as a run has it. */
function cut(text: string, stop: RegExp): string {
  const at = text.search(stop);
  return at < 0 ? text : text.slice(0, at);
}

describe("the end of an answer's line", () => {
  it.each([
    [" B\nQuestion: next", " B"],
    ["\n1\n\nQ: next", "\n1"],
    ["\n \n B \n", "\n \n B "],
    [" B", " B"],
    ["\n\n", "\n\n"],
    [" a\u2028b\nc", " a\u2028b"],
  ])("%j becomes %j", (text, expected) => {
    expect(cut(text, endOfAnswerLine)).toBe(expected);
  });
});

describe("the end of a function's body", () => {
  it.each([
    ["    return 1\n\ndef g():\n    pass", "    return 1\n"],
    ["    return 1\nprint(f(1))", "    return 1"],
    ["    return 1\n# comment", "    return 1"],
    ["    a = 1\n\n    return a\n", "    a = 1\n\n    return a\n"],
    ["    return 1\n```\n", "    return 1"],
    ["return 1\n", "return 1\n"], // the first line may begin anywhere
    ["\n    return 1", "\n    return 1"],
    ["    a = '''\nx'''\n", "    a = '''"],
  ])("%j becomes %j", (text, expected) => {
    expect(cut(text, endOfIndentedBlock)).toBe(expected);
  });
});

/** Bodies that the stop would shorten. */
const shortened = (items: readonly HumanEvalItem[]) =>
  items.filter(({ canonicalSolution }) => cut(canonicalSolution, endOfIndentedBlock) !== canonicalSolution);

describe("canonical solutions stay whole", () => {
  it("of the bundled items, 164 of 164", async () => {
    const { items } = await readItems(humaneval, "demo");
    expect(items).toHaveLength(164);
    expect(shortened(items)).toEqual([]);
  });

  sharedOrSkip("eval-data/humaneval", "of HumanEval", (directory) => {
    it("164 of 164, of which 34 have a blank line", async () => {
      const { items } = await readItems(humaneval, join(directory, "HumanEval.jsonl.gz"));
      expect(items).toHaveLength(164);
      expect(shortened(items)).toEqual([]);
      expect(items.filter((item) => item.canonicalSolution.trim().includes("\n\n"))).toHaveLength(34);
      expect(humaneval.stop).toEqual([endOfIndentedBlock]);
    });
  });
});
