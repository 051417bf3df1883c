import { choiceLetters } from "../tasks/choice_letter.js";
import type { HellaSwagItem } from "../tasks/hellaswag.js";
import type { HumanEvalItem } from "../tasks/humaneval.js";
import type { MultipleChoiceItem } from "../tasks/multiple_choice.js";
import type { TriviaItem } from "../tasks/triviaqa.js";
import type { WinograndeItem } from "../tasks/winogrande.js";
import { hellaswagContext, hellaswagText } from "./hellaswag_text.js";
import { DataRow } from "./row.js";

/** An item without what it cannot say itself: an id where the row has none. */
export type RowReader<Item> = (row: DataRow, fallbackId: string) => Item;

/**
 * ARC: `question.stem`, `question.choices[].label/text`, `answerKey` (ARC-V1); `choices.label/text`, `answerKey` (the hub). MMLU:
 * `choices`, `answer` as a letter (CSV) or an index (the hub). Both: `choices`, `gold`, `answer` as a letter (ours).
 */
export const readMultipleChoice: RowReader<MultipleChoiceItem> = (row, fallbackId) => {
  const nested = typeof row.fields.question === "object" && row.fields.question !== null;
  const question = nested ? row.object("question") : row;
  const [texts, labels] = choicesOf(question);
  if (texts.length < 2 || texts.length > choiceLetters.length) {
    throw row.invalid(`2 to ${choiceLetters.length} choices, found ${texts.length}`);
  }
  return {
    id: readId(row, ["id"], fallbackId),
    ...(row.has("subject") && { subject: row.words("subject") }),
    ...readKind(row),
    question: nested ? question.words("stem") : row.words("question"),
    choices: texts,
    gold: goldOf(row, labels ?? [...choiceLetters.slice(0, texts.length)]),
  };
};

/** The options' texts, and their labels where the data has them. */
function choicesOf(row: DataRow): [texts: string[], labels?: string[]] {
  const value = row.fields.choices;
  if (Array.isArray(value) && typeof value[0] === "object") {
    const choices = value.map((one, index) => DataRow.of(one, `${row.where}: choices[${index}]`));
    return [choices.map((one) => one.text("text")), choices.map((one) => one.text("label"))];
  }
  if (Array.isArray(value)) return [row.texts("choices")];
  const columns = row.object("choices");
  const [texts, labels] = [columns.texts("text"), columns.texts("label")];
  if (texts.length === labels.length) return [texts, labels];
  throw row.invalid(`as many labels as texts in "choices", found ${labels.length} and ${texts.length}`);
}

/** Numeric labels become positions: what counts is which of the labels the key is. */
function goldOf(row: DataRow, labels: readonly string[]): number {
  if (new Set(labels).size !== labels.length) {
    throw row.invalid(`labels that differ, found ${labels.join(", ")}`);
  }
  const key = ["answerKey", "answer"].find((name) => typeof row.fields[name] === "string");
  const lettered = key === undefined ? undefined : row.text(key).trim();
  if (lettered === "") throw row.unlabelled(key as string);
  const byKey = lettered === undefined ? undefined : labels.indexOf(lettered);
  if (byKey === -1) throw row.invalid(`"${key}" to be one of ${labels.join(", ")}, found "${lettered}"`);
  if (byKey !== undefined && !row.has("gold")) return byKey;
  const gold = row.index(["gold", "answer"].find((name) => row.has(name)) ?? "answerKey", labels.length);
  if (byKey === undefined || byKey === gold) return gold;
  throw row.invalid(`"gold" and "${key}" to be the same option, found ${gold} and "${lettered}"`);
}

/** Ours, Winogrande's JSON lines (`qID`) and the hub's rows have the same fields. */
export const readWinogrande: RowReader<WinograndeItem> = (row, fallbackId) => {
  const sentence = row.words("sentence");
  const blanks = sentence.split("_").length - 1;
  if (blanks !== 1) throw row.invalid(`one "_" in "sentence", found ${blanks}`);
  if (!row.has("answer") || row.fields.answer === "") throw row.unlabelled("answer");
  const answer = row.text("answer");
  if (answer !== "1" && answer !== "2") throw row.invalid(`"answer" to be "1" or "2", found "${answer}"`);
  return {
    id: readId(row, ["id", "qID"], fallbackId),
    ...readKind(row),
    sentence,
    option1: row.words("option1"),
    option2: row.words("option2"),
    answer,
  };
};

/** TriviaQA's own form (`Question`, `Answer.Value/Aliases`), the hub's (`answer.value/aliases`), and ours. */
export const readTrivia: RowReader<TriviaItem> = (row, fallbackId) => {
  if (row.has("Question")) {
    if (!row.has("Answer")) throw row.unlabelled("Answer");
    const answer = row.object("Answer");
    return {
      id: readId(row, ["QuestionId"], fallbackId),
      question: row.words("Question"),
      answer: answer.words("Value"),
      aliases: aliasesOf(answer, ["Aliases", "NormalizedAliases", "HumanAnswers"]),
    };
  }
  const question = row.words("question");
  if (!row.has("answer")) throw row.unlabelled("answer");
  if (typeof row.fields.answer === "object") {
    const answer = row.object("answer");
    // The hub has a placeholder where the answers are not published.
    if (answer.fields.value === "<unk>") throw row.unlabelled("answer.value");
    return {
      id: readId(row, ["question_id", "id"], fallbackId),
      question,
      answer: answer.words("value"),
      aliases: aliasesOf(answer, ["aliases", "normalized_aliases"]),
    };
  }
  return {
    id: readId(row, ["id"], fallbackId),
    ...readKind(row),
    question,
    answer: row.words("answer"),
    aliases: row.texts("aliases"),
  };
};

function aliasesOf(answer: DataRow, names: readonly string[]): string[] {
  return [...new Set(names.filter((name) => answer.has(name)).flatMap((name) => answer.texts(name)))];
}

/** HellaSwag's own rows and the hub's (`activity_label`, `ctx_a`, `ctx_b`, `label`), and ours (`ctx`, `gold`). */
export const readHellaSwag: RowReader<HellaSwagItem> = (row, fallbackId) => {
  const endings = row.texts("endings");
  if (endings.length < 2 || endings.length > choiceLetters.length) {
    throw row.invalid(`2 to ${choiceLetters.length} endings, found ${endings.length}`);
  }
  if (!row.has("ctx_a")) {
    const gold = row.index(row.has("gold") ? "gold" : "label", endings.length);
    return { id: readId(row, ["id"], fallbackId), ...readKind(row), ctx: row.words("ctx"), endings, gold };
  }
  const context = { activity: row.text("activity_label"), a: row.text("ctx_a"), b: row.text("ctx_b") };
  return {
    // `ind` is a number of the collection that the questions were filtered from; the place in the split is what others use.
    id: fallbackId,
    ctx: hellaswagContext(context),
    endings: endings.map(hellaswagText),
    gold: row.index("label", endings.length),
  };
};

/** OpenAI's rows; the hub's are the same. */
export const readHumanEval: RowReader<HumanEvalItem> = (row, fallbackId) => {
  const entryPoint = row.words("entry_point");
  // It becomes a part of the program.
  if (!/^[A-Za-z_]\w*$/.test(entryPoint)) {
    throw row.invalid(`"entry_point" to be the name of a function, found ${JSON.stringify(entryPoint)}`);
  }
  return {
    id: readId(row, ["task_id", "id"], fallbackId),
    ...readKind(row),
    prompt: row.words("prompt"),
    entryPoint,
    canonicalSolution: row.words("canonical_solution"),
    test: row.words("test"),
  };
};

/** The first of these fields that is there; numbers become texts. */
export function readId(row: DataRow, names: readonly string[], fallbackId: string): string {
  const name = names.find((one) => row.has(one));
  if (name === undefined) return fallbackId;
  const value = row.fields[name];
  return typeof value === "number" ? String(value) : row.words(name);
}

function readKind(row: DataRow): { kind?: string } {
  return row.has("kind") ? { kind: row.words("kind") } : {};
}
