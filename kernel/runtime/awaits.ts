import type { ScriptSource, Scripts } from "./stack.js";
import type { Task } from "./tasks.js";

const MAX_PLACES = 20;

/**
 * Remembers which awaits a rejection came through. V8 itself adds `at async` lines to an error that is made while a
 * cell waits; one that a library makes in a callback, such as a time-out or a closed connection, has no line of the
 * cell at all. Costs nothing unless something is rejected.
 */
export class Awaits {
  readonly #rejections = new WeakMap<object, { task: Task; places: string[] }>();

  constructor(readonly scripts: Scripts) {}

  /** @param offset of the await in the text that the script was compiled from */
  record(error: unknown, task: Task, script: ScriptSource, offset: number): void {
    if (typeof error !== "object" || error === null) return;
    let entry = this.#rejections.get(error);
    // An error that a later cell meets again came there by that cell's awaits.
    if (entry?.task !== task) {
      entry = { task, places: [] };
      this.#rejections.set(error, entry);
    }
    if (entry.places.length >= MAX_PLACES) return;
    const { line, column } = this.scripts.placeOf(script, offset);
    entry.places.push(`${script.label}:${line}:${column}`);
  }

  /** The request whose code awaited what this error rejected. */
  parentOf(error: unknown): string | undefined {
    return typeof error === "object" && error !== null ? this.#rejections.get(error)?.task.parent : undefined;
  }

  /** The awaits of user code that an error came through, innermost first, as stacks show places. */
  of(error: object): readonly string[] {
    return this.#rejections.get(error)?.places ?? [];
  }
}
