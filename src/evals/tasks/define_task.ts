import { checkOptionNames, PersimmonError } from "../../errors.js";
import { chatPrompt } from "../../generation/chat.js";
import { optionChecks } from "../../option_checks.js";
import type { EvalItem, EvalTask } from "../task.js";
import { builtInNames } from "./built_in_names.js";
import { endOfAnswerLine } from "./stops.js";

/** The fields of an item where `prompt` and `gold` are left to their defaults. */
export interface PromptFields {
  readonly prompt: string;
  readonly answer: string;
}

/**
 * What `defineTask` takes: a `name`, and either `prompt` and `gold` or items that have `prompt` and `answer`. `Fields` is what
 * an item has besides `id`, `subject` and `kind`.
 */
export interface TaskDefinition<
  Fields extends object = PromptFields,
  Item extends EvalItem = Fields & EvalItem,
> {
  /** Letters, digits, `.`, `_` and `-`; not the name of a built-in task. */
  name: string;
  /** The questions; those without an `id` get their place in the list. Without items the run needs data: a list, or a file of JSON lines. */
  items?: readonly (Fields & Partial<EvalItem>)[];
  /** The text that the model continues; default: `item.prompt`, after an example with its answer if `shots` is 1. */
  prompt?: (item: Item, shot: Item | undefined) => string;
  /** The right answer; default: `item.answer`. */
  gold?: (item: Item) => string;
  /** Whether an example comes before the question; 0. */
  shots?: 0 | 1;
  /** Most tokens of an answer; 32. */
  maxNewTokens?: number;
  /** Texts or patterns without flags that end an answer; default: a line break after a character that is not a space. */
  stop?: readonly (string | RegExp)[];
  /** The answer in a completion, or null; default: its first line without the white space around it, null if empty. */
  extract?: (completion: string, item: Item) => string | null;
  extractLeniently?: (completion: string, item: Item) => string | null;
  /** Default: the answer equals `gold`, without the white space around it. */
  isCorrect?: (answer: string, item: Item) => boolean;
  /** See `EvalTask`. */
  program?: EvalTask<Item>["program"];
  /** See `EvalTask`. */
  likelihood?: EvalTask<Item>["likelihood"];
  /** Items of the same key are no examples for each other; default: the prompt. */
  sameQuestion?: (item: Item) => string;
  /** To be raised when something above changes, so that an older run is not gone on with; 1. */
  version?: number;
}

const functions = [
  "prompt",
  "gold",
  "extract",
  "extractLeniently",
  "isCorrect",
  "program",
  "likelihood",
  "sameQuestion",
] satisfies (keyof TaskDefinition)[];

const known = [
  "name",
  "items",
  "shots",
  "maxNewTokens",
  "stop",
  "version",
  ...functions,
] satisfies (keyof TaskDefinition)[];

/**
 * A task of one's own.
 *
 * ```ts
 * const capitals = defineTask({
 *   name: "capitals",
 *   items: [
 *     { prompt: "The capital of France is", answer: "Paris" },
 *     { prompt: "The capital of Japan is", answer: "Tokyo" },
 *   ],
 *   extract: (text) => /^\s*(\w+)/.exec(text)?.[1] ?? null,
 * });
 * const sums = defineTask({
 *   name: "sums",
 *   items: [{ a: 2, b: 3 }, { a: 4, b: 5 }],
 *   prompt: ({ a, b }) => `${a} + ${b} =`,
 *   gold: ({ a, b }) => String(a + b),
 * });
 * ```
 *
 * The chat switch of a run puts the prompt into the chat format; the other switches do not touch it.
 * @throws PersimmonError TASK_INVALID, OPTION_UNKNOWN; `prompt` and `gold` throw TASK_INVALID when they give no text
 */
export function defineTask<Fields extends object = PromptFields>(
  definition: TaskDefinition<Fields>,
): EvalTask<Fields & EvalItem> {
  type Item = Fields & EvalItem;
  if (typeof definition !== "object" || definition === null) {
    throw new PersimmonError(
      "TASK_INVALID",
      `defineTask takes an object such as { name: "sums", items: [{ prompt: "2 + 3 =", answer: "5" }] }, got ${String(definition)}`,
    );
  }
  checkOptionNames("defineTask", definition, known);
  const { name, shots = 0, maxNewTokens = 32, stop = [endOfAnswerLine], version = 1 } = definition;
  if (typeof name !== "string" || !/^[\w][\w.-]{0,99}$/.test(name)) {
    throw new PersimmonError(
      "TASK_INVALID",
      `defineTask: name must be letters, digits, ".", "_" and "-", got ${JSON.stringify(name)}`,
    );
  }
  if (builtInNames.includes(name)) {
    throw new PersimmonError(
      "TASK_INVALID",
      `defineTask: "${name}" is the name of a built-in task; take another`,
    );
  }
  const invalid = (message: string) => new PersimmonError("TASK_INVALID", `task "${name}": ${message}`);
  const { oneOf, whole } = optionChecks(invalid);
  oneOf("shots", shots, [0, 1]);
  whole("maxNewTokens", maxNewTokens, 1);
  whole("version", version, 1);
  if (!Array.isArray(stop) || !stop.every(isStop)) {
    throw invalid("stop must be a list of texts that are not empty or patterns without flags");
  }
  for (const option of functions) {
    if (definition[option] === undefined || typeof definition[option] === "function") continue;
    throw invalid(`${option} must be a function, got ${String(definition[option])}`);
  }

  const textOf = (value: unknown, what: string, item: Item): string => {
    if (typeof value === "string") return value;
    if (value instanceof Promise) value.catch(() => {}); // its own failure is beside the point
    const got = value instanceof Promise ? "a promise (it cannot be async)" : String(value);
    throw invalid(`${what} must give a text for item "${item.id}", got ${got}`);
  };
  const field = (item: Item, key: "prompt" | "answer") => {
    const value = (item as Partial<Record<string, unknown>>)[key];
    if (typeof value === "string") return value;
    const instead = key === "prompt" ? "prompt" : "gold";
    throw invalid(`item "${item.id}" has no text "${key}", and the task has no function "${instead}"`);
  };
  const gold = (item: Item) =>
    definition.gold ? textOf(definition.gold(item), "gold", item) : field(item, "answer");
  const prompt = (item: Item, shot: Item | undefined) => {
    if (definition.prompt) return textOf(definition.prompt(item, shot), "prompt", item);
    const example = shot === undefined ? "" : `${field(shot, "prompt")} ${gold(shot).trim()}\n\n`;
    return example + field(item, "prompt");
  };
  const items = definition.items === undefined ? undefined : withIds(definition.items, invalid);
  for (const item of items ?? []) {
    // Errors of a definition are best seen in the cell that makes it.
    prompt(item, shots === 1 ? item : undefined);
    if (
      definition.extract === undefined &&
      definition.program === undefined &&
      gold(item).trim().includes("\n")
    ) {
      throw invalid(`the answer of item "${item.id}" has several lines: give extract and stop as well`);
    }
  }
  return {
    name,
    ...(items && { items }),
    version,
    shots,
    maxNewTokens,
    stop: [...stop],
    prompt(item, shot, switches) {
      const text = prompt(item, shot);
      return switches.chat ? chatPrompt(text) : text;
    },
    extract: definition.extract ?? ((completion) => completion.trim().split("\n")[0].trim() || null),
    gold,
    isCorrect: definition.isCorrect ?? ((answer, item) => answer === gold(item).trim()),
    sameQuestion: definition.sameQuestion ?? ((item) => prompt(item, undefined)),
    ...(definition.extractLeniently && { extractLeniently: definition.extractLeniently }),
    ...(definition.program && { program: definition.program }),
    ...(definition.likelihood && { likelihood: definition.likelihood }),
  };
}

function isStop(stop: unknown): boolean {
  if (typeof stop === "string") return stop !== "";
  return stop instanceof RegExp && stop.flags === "";
}

/** The items with ids: their own, or their place in the list. */
function withIds<Fields extends object>(
  items: readonly (Fields & Partial<EvalItem>)[],
  invalid: (message: string) => PersimmonError,
): (Fields & EvalItem)[] {
  if (!Array.isArray(items) || items.length === 0) throw invalid("items must be a list that is not empty");
  const seen = new Set<string>();
  return items.map((item, index) => {
    if (typeof item !== "object" || item === null) {
      throw invalid(`items[${index}] must be an object, got ${String(item)}`);
    }
    const id: unknown = item.id ?? String(index);
    if (typeof id !== "string" || id === "")
      throw invalid(`items[${index}].id must be a text, got ${String(id)}`);
    if (seen.has(id)) throw invalid(`the id "${id}" comes twice in items`);
    seen.add(id);
    return { ...item, id };
  });
}
