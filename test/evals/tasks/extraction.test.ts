import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arcEasy, humaneval, mmlu, triviaqa, winogrande } from "../../../src/evals/tasks/index.js";
import { normalizedAnswer } from "../../../src/evals/tasks/normalized_answer.js";

const four = { id: "q", question: "Which?", choices: ["a planet", "Mars", "the Moon", "Mars rock"], gold: 1 };
const three = { ...four, choices: four.choices.slice(0, 3) };
const five = { ...four, choices: [...four.choices, "none"] };

describe("a letter", () => {
  it.each([
    [" B", "B"],
    ["B", "B"],
    [" B\n", "B"],
    ["\n\n B", "B"],
    [" B. 4", "B"], // lm-eval #2279, #4187: models that write this got 0.000
    [" B: Mars", "B"],
    [" B) Mars", "B"],
    [" B, because", "B"],
    [" D\nQuestion: next", "D"],
    ["A planet", null], // not A
    [" A planet", null],
    [" Ant", null],
    [" B Mars", null],
    [" (B)", null],
    [" b", null],
    [" E", null], // not among this item's labels
    [" The answer is B", null],
    [" B- no", null],
    ["", null],
    ["   ", null],
    ["\u2028B", "B"], // white space as well
    ["<|endoftext|>", null],
  ])("of %j is %j", (completion, answer) => {
    expect(arcEasy.extract(completion, four)).toBe(answer);
    expect(mmlu.extract(completion, four)).toBe(answer);
  });

  it("is among the labels of the item", () => {
    expect(arcEasy.extract(" D", three)).toBeNull();
    expect(arcEasy.extract(" C", three)).toBe("C");
    expect(arcEasy.extract(" E", five)).toBe("E");
  });

  it.each([
    [" B", "B"],
    [" Mars", "B"], // the text of an option
    [" the Moon\n", "C"],
    [" the moon", null],
    [" Mars!", null],
    ["well\nB. 4", "B"], // at the beginning of a line
    ["well\nB\nC", null], // two
    ["well\nB\nMars", "B"],
    ["A\nB", "A"], // the strict answer stays
    [" A planet", null],
    [" a planet", "A"],
    ["", null],
  ])("found leniently in %j is %j", (completion, answer) => {
    expect(arcEasy.extractLeniently!(completion, four)).toBe(answer);
  });

  it("is not found leniently where two options have the text", () => {
    expect(arcEasy.extractLeniently!(" Mars", { ...four, choices: ["Mars", "Mars", "Sun"] })).toBeNull();
  });

  it("is always a label or null, and the lenient one agrees with the strict one", () => {
    const completion = fc.string({ unit: fc.constantFrom(..."ABCDEFGH.:),\n Mars\u2028\r\t".split("")) });
    fc.assert(
      fc.property(fc.oneof(completion, fc.string({ unit: "binary" })), (text) => {
        const strict = arcEasy.extract(text, three);
        const lenient = arcEasy.extractLeniently!(text, three);
        expect(["A", "B", "C", null]).toContain(strict);
        expect(["A", "B", "C", null]).toContain(lenient);
        if (strict !== null) expect(lenient).toBe(strict);
      }),
    );
  });
});

describe("a number", () => {
  const item = { id: "w", sentence: "The _ fell.", option1: "cup", option2: "jug", answer: "1" as const };

  it.each([
    ["\n1", "1"],
    [" 2", "2"],
    ["2.", "2"],
    ["1 = cup", "1"],
    ["\n\n2\n\nQ:", "2"],
    ["12", null],
    ["21", null],
    ["3", null],
    ["", null],
    [" cup", null],
    ["Answer: 1", null],
  ])("of %j is %j", (completion, answer) => {
    expect(winogrande.extract(completion, item)).toBe(answer);
  });

  it.each([
    [" cup", "1"],
    ["\njug", "2"],
    ["it is\n2", "2"],
    ["cup\njug", null],
    ["12", null],
  ])("found leniently in %j is %j", (completion, answer) => {
    expect(winogrande.extractLeniently!(completion, item)).toBe(answer);
  });
});

describe("a short answer", () => {
  const item = { id: "t", question: "Who?", answer: "The Beatles", aliases: ["Beatles", "The Fab Four"] };

  it.each([
    [" The Beatles", true],
    [" beatles!", true],
    ["\nthe  fab-four", true],
    [" The_Beatles", true],
    [" The Beatles were a band", false],
    [" Stones", false],
  ])("%j: %j", (completion, right) => {
    const answer = triviaqa.extract(completion, item)!;
    expect(triviaqa.isCorrect!(answer, item)).toBe(right);
  });

  it("of nothing but articles and punctuation is none", () => {
    for (const text of ["", "  ", " the", " - ", "\n"]) expect(triviaqa.extract(text, item)).toBeNull();
  });

  // The validation set has a question whose answer is "(a": what is left of it is compared in lower case.
  it("may be an article where the right answer is one", () => {
    const article = { ...item, answer: "(a", aliases: ["A"] };
    expect(triviaqa.gold(article)).toBe("(a");
    for (const text of [" (a", " A"])
      expect(triviaqa.isCorrect!(triviaqa.extract(text, article)!, article)).toBe(true);
    expect(triviaqa.extract(" the", article)).toBeNull();
  });

  // Right sides from normalize_answer of mandarjoshi90/triviaqa, evaluation/triviaqa_evaluation.py, in Python 3.11.
  it.each([
    ["The Lord of the Rings", "lord of rings"],
    ["Rock 'n' Roll", "rock n roll"],
    ["A_B (an ABC)", "b abc"],
    ["L'Été à Théoule", "l été à théoule"],
    ["an-other the", "other"],
    ["‘Tis ´the` end’s", "tis end s"],
    ["ÇA the İstanbul", "ça i̇stanbul"],
    ["  50\u00a0% \t of\u2028all ", "50 of all"],
  ])("%j is normalised to %j", (text, expected) => {
    expect(normalizedAnswer(text)).toBe(expected);
  });
});

describe("code", () => {
  it("is never unparsed and becomes a program with its tests", () => {
    const item = {
      id: "h",
      prompt: 'def f(x):\n    """Doubles."""\n',
      entryPoint: "f",
      canonicalSolution: "    return 2 * x\n",
      test: "def check(candidate):\n    assert candidate(2) == 4\n",
    };
    expect(humaneval.extract("", item)).toBe("");
    expect(humaneval.extract("    return 2 * x", item)).toBe("    return 2 * x");
    expect(humaneval.program!("    return 2 * x", item)).toBe(
      'def f(x):\n    """Doubles."""\n    return 2 * x\ndef check(candidate):\n    assert candidate(2) == 4\n\ncheck(f)',
    );
  });
});
