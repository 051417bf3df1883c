import type { Inspection, LanguageEngine } from "../language/engine.js";

/** A cell that is nothing but a name with a question mark before or behind it, as in IPython; two ask for the source too. */
const QUESTION = /^\s*(?:(\?{1,2})\s*([\p{ID_Continue}$.]+)|([\p{ID_Continue}$.]+)\s*(\?{1,2}))\s*$/u;

/** What is known of the name that a cell asks about; undefined when it asks for none, or the name is unknown. */
export async function answerTo(
  code: string,
  language: LanguageEngine,
): Promise<Extract<Inspection, { found: true }> | undefined> {
  const match = QUESTION.exec(code);
  if (!match) return undefined;
  const name = match[2] ?? match[3]!;
  const marks = match[1] ?? match[4]!;
  const answer = await language.inspect(name, [...name].length, marks.length - 1);
  return answer.found ? answer : undefined;
}
