import { PersimmonError } from "../errors.js";
import { type ChatTurn, chatPrompt, chatStop } from "../generation/chat.js";
import type { LanguageModel } from "../index.js";
import { generateOptions, type SamplingOptions } from "./options.js";
import { ProgressLine } from "./progress_line.js";

/** A conversation: the turns so far, and the answer that is being made. */
export class ChatSession {
  readonly #model: Pick<LanguageModel, "generate" | "encodePrompt">;
  readonly #options: SamplingOptions;
  readonly #progress: ProgressLine;
  #turns: ChatTurn[] = [];
  #running: AbortController | undefined;

  constructor(
    model: Pick<LanguageModel, "generate" | "encodePrompt">,
    options: SamplingOptions,
    progress = new ProgressLine(),
  ) {
    this.#model = model;
    this.#options = options;
    this.#progress = progress;
  }

  /** The turns that the next question continues. */
  get turns(): readonly ChatTurn[] {
    return this.#turns;
  }

  /** Forgets the conversation. */
  reset(): void {
    this.#turns = [];
  }

  /** Ends the answer that is being made. False when none is. */
  interrupt(): boolean {
    this.#running?.abort();
    return this.#running !== undefined;
  }

  /**
   * Answers a question, writing the text as it comes. The oldest turns are left out when the conversation no longer fits
   * into the context. An answer that was interrupted stays in the conversation as far as it came.
   */
  async answer(human: string, write: (text: string) => void): Promise<void> {
    const turns = this.#fitting([...this.#turns, { human }]);
    if (turns.length <= this.#turns.length) write("(the oldest turns no longer fit into the context)\n");
    this.#running = new AbortController();
    try {
      const stream = this.#model.generate(chatPrompt(turns), {
        ...generateOptions(this.#options),
        stop: [...(this.#options.stop ?? []), chatStop],
        signal: this.#running.signal,
        onProgress: this.#progress.show,
      });
      // The format puts a blank before the answer; on a line of its own it would only indent it.
      let started = false;
      for await (const { text } of stream) {
        this.#progress.end();
        const shown: string = started ? text : text.trimStart();
        started ||= shown !== "";
        write(shown);
      }
      const { text, finish } = await stream.done;
      write(finish === "interrupted" ? " (interrupted)\n" : "\n");
      this.#turns = [...turns.slice(0, -1), { human, adept: text }];
    } finally {
      this.#progress.end();
      this.#running = undefined;
    }
  }

  /** The latest turns whose prompt fits into the context; at least the question itself. */
  #fitting(turns: ChatTurn[]): ChatTurn[] {
    for (let first = 0; first < turns.length - 1; first++) {
      const rest = turns.slice(first);
      if (this.#fits(chatPrompt(rest))) return rest;
    }
    return turns.slice(-1);
  }

  #fits(prompt: string): boolean {
    try {
      this.#model.encodePrompt(prompt);
      return true;
    } catch (error) {
      if (error instanceof PersimmonError && error.code === "PROMPT_TOO_LONG") return false;
      throw error;
    }
  }
}
