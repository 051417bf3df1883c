import { readFileSync } from "node:fs";
import { join } from "node:path";
import { chooseShot } from "../../../src/evals/shot.js";
import type { EvalItem, EvalTask } from "../../../src/evals/task.js";
import type { LanguageModel } from "../../../src/language_model.js";
import { loadModel } from "../../../src/load_model.js";

const switches = { finalNewline: true, instructionPrefix: "", chat: false };

/**
 * The demo model with its pen in someone else's hand: whatever is asked, it writes what `answer` says. Everything around it
 * (tokenizer, batches, files) is real.
 */
export async function modelThatWrites(answer: (prompt: string) => string): Promise<LanguageModel> {
  const model = await loadModel();
  model.generateBatch = async (prompts, options) =>
    prompts.map((prompt, row) => {
      const ids = model.encodePrompt(prompt);
      const begin = ids[0] === model.tokenizer.bosId ? 1 : 0;
      const text = answer(model.tokenizer.decode(ids.slice(begin)));
      const generation = { text, ids: model.tokenizer.encode(text), finish: "stop" as const };
      options?.onFinished?.(row, generation);
      return generation;
    });
  return model;
}

/** Answers the prompts of a task by item, as a run with default options asks them. */
export function answersTo(
  task: EvalTask,
  items: readonly EvalItem[],
  answer: (item: EvalItem) => string,
): (prompt: string) => string {
  const byPrompt = new Map(
    items.map((item) => {
      const shot = task.shots === 1 ? chooseShot(task, item, items, 0) : undefined;
      return [task.prompt(item, shot, switches), answer(item)];
    }),
  );
  return (prompt) => {
    const found = byPrompt.get(prompt);
    if (found === undefined) throw new Error(`a prompt that was not expected: ${prompt}`);
    return found;
  };
}

/** The lines of a journal of a run. */
export function linesOf(folder: string, name = "samples.jsonl"): string[] {
  return readFileSync(join(folder, name), "utf8").split("\n").slice(0, -1);
}

export function sampleBytes(folder: string): string {
  return readFileSync(join(folder, "samples.jsonl"), "utf8");
}
