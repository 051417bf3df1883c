/** What a generative evaluation asks, and how an answer is read. The built-in tasks and those of a cell have this form. */

/** One question of a data set, in the fields of its task. */
export interface EvalItem {
  /** Unique in its split. */
  readonly id: string;
  /** Questions of one subject are examples for each other only (MMLU). */
  readonly subject?: string;
  /** What a result is told apart by, where the data says it (the demo items do). */
  readonly kind?: string;
}

/** What Adept's release leaves open about a prompt; every run records them. */
export interface PromptSwitches {
  /** Whether HumanEval prompts keep the line break after the docstring; true. */
  finalNewline: boolean;
  /** Put before the instruction: "" (default) or "# ", as one of the two released HumanEval prompts has it. */
  instructionPrefix: string;
  /** Whether the prompt is wrapped as a turn of the chat format; false. */
  chat: boolean;
}

/** Choices of which the model is to find the one that is right by its log-probability. */
export interface LikelihoodQuestion {
  /** The text before each ending. */
  context: string;
  /** What may follow the context, each with the space or line break that it begins with. */
  endings: readonly string[];
  /**
   * Characters at the beginning of each ending that belong to what is given: tokens that begin in them are not scored.
   * Default: none. (Winogrande scores what follows the filled blank, and the filling differs between the endings.)
   */
  given?: readonly number[];
  /** Index of the right ending. */
  gold: number;
}

/** A task; `Item` has the fields of its data set. */
export interface EvalTask<Item extends EvalItem = EvalItem> {
  /** As in `persimmon eval NAME`, such as "arc-easy". */
  readonly name: string;
  /** Items that the task brings along, for a task of a cell; the built-in ones read theirs (`readItems`). */
  readonly items?: readonly Item[];
  /** Said beside every number of it: what a comparison with published ones has to know. */
  readonly note?: string;
  /** Raised when the prompt, the stops or the extraction change: a run of another version is not gone on with. */
  readonly version: number;
  /** Examples in a prompt: 0 or 1. */
  readonly shots: 0 | 1;
  /** Most tokens of an answer. */
  readonly maxNewTokens: number;
  /** Texts or patterns that end an answer; they and what follows are no part of it. */
  readonly stop: readonly (string | RegExp)[];
  /** The prompt of an item after an example, which is undefined when `shots` is 0. */
  prompt(item: Item, shot: Item | undefined, switches: PromptSwitches): string;
  /** The answer that a completion gives; null if it cannot be read, which counts as wrong and as unparsed. */
  extract(completion: string, item: Item): string | null;
  /** The same, more forgiving, for the second score that is printed beside the headline. */
  extractLeniently?(completion: string, item: Item): string | null;
  /** The right answer in the form that `extract` gives. */
  gold(item: Item): string;
  /** Whether an answer is right; default: it equals `gold`. */
  isCorrect?(answer: string, item: Item): boolean;
  /** The program that decides instead of `isCorrect`: it passes when it ends without an exception. */
  program?(completion: string, item: Item): string;
  /** The same question by log-probability, where the task can be asked so. */
  likelihood?(item: Item, shot: Item | undefined, switches: PromptSwitches): LikelihoodQuestion;
  /** Items of the same key are not examples for each other (duplicates, twins of a Winogrande pair). */
  sameQuestion(item: Item): string;
}
