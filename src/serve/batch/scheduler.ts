import type { Generator } from "../../generation/generate.js";
import type { TokenChoice } from "../../runtime/token_plan.js";
import type { ServeLimits } from "../limits.js";
import { RequestError } from "../request_error.js";
import { type ChosenToken, chooseTokens, sharedChoice } from "./choose.js";
import { Prefixes, sharedLength } from "./prefixes.js";
import { promptPass } from "./prompt_pass.js";
import { Row, type RowRequest, type RowResult } from "./row.js";

/** Tokens that a prompt has to have in common with one that is being run to wait for it. */
const worthWaiting = 128;

/**
 * Decodes the texts of all requests together: between two steps finished ones leave, and waiting ones join as soon as there
 * is a place in the batch and room for them in the KV cache, in the order in which they came. A row of a pass does not depend
 * on its neighbours, so neither does a text on who else is served.
 */
export class Scheduler {
  readonly #at: Generator;
  readonly #limits: Pick<ServeLimits, "batch" | "queue" | "kvTokens">;
  readonly #prefixes = new Prefixes();
  #waiting: Row[] = [];
  #running: Row[] = [];
  #loop: Promise<void> | undefined;

  constructor(at: Generator, limits: Pick<ServeLimits, "batch" | "queue" | "kvTokens">) {
    this.#at = at;
    this.#limits = limits;
  }

  /** Texts that are being made, and texts that wait. */
  get load(): { running: number; waiting: number } {
    return { running: this.#running.length, waiting: this.#waiting.length };
  }

  /**
   * Has texts made. What is aborted leaves the batch before the next step, and is rejected with the signal's reason.
   * @returns one promise for each text
   * @throws RequestError SERVER_BUSY, at once, when too many wait
   */
  submit(requests: readonly RowRequest[], signal: AbortSignal): Promise<RowResult>[] {
    const { queue } = this.#limits;
    if (this.#waiting.length > 0 && this.#waiting.length + requests.length > queue) {
      throw new RequestError(
        "SERVER_BUSY",
        `${this.#waiting.length} texts wait already, and the queue has room for ${queue}: ask again later`,
        { status: 429, retryAfter: 1 + Math.floor(this.#waiting.length / this.#limits.batch) },
      );
    }
    const rows = requests.map((request) => new Row(this.#at, request, signal));
    for (const row of rows) {
      if (row.needsPass) this.#waiting.push(row);
      else this.#finishUnseen(row);
    }
    this.#loop ??= this.#run();
    return rows.map(({ done }) => done);
  }

  /** Waits until nothing is running, and gives all memory back. */
  async close(): Promise<void> {
    while (this.#loop !== undefined) await this.#loop;
    this.#prefixes.clear();
  }

  async #run(): Promise<void> {
    try {
      // The requests of one turn of the event loop begin together.
      await new Promise<void>((resolve) => setImmediate(resolve));
      while (true) {
        this.#dropAborted();
        this.#admit();
        if (this.#running.length === 0) break;
        await this.#step((row) => !row.isPrefilled, this.#promptStep);
        await this.#step((row) => row.isPrefilled, this.#decodeStep);
      }
    } catch (error) {
      for (const row of [...this.#waiting, ...this.#running]) this.#remove(row, error);
    } finally {
      this.#at.runtime.dropAhead();
      // Before anything else can run: whoever submits after this begins a new loop.
      this.#loop = undefined;
    }
  }

  /** One pass for some of the running rows. If it fails, it fails for them alone. */
  async #step(
    takesPart: (row: Row) => boolean,
    pass: (rows: readonly Row[]) => Promise<void>,
  ): Promise<void> {
    const rows = this.#running.filter(takesPart);
    if (rows.length === 0) return;
    try {
      await pass(rows);
    } catch (error) {
      for (const row of rows) this.#remove(row, error);
      return;
    }
    for (const row of rows) {
      const { failure } = row;
      if (failure !== undefined) this.#remove(row, failure);
      else if (row.isPrefilled && row.isFinished) this.#finish(row);
    }
  }

  readonly #promptStep = async (rows: readonly Row[]): Promise<void> => {
    const others = this.#running.length > rows.length;
    await promptPass(this.#at.runtime, rows, others);
  };

  readonly #decodeStep = async (rows: readonly Row[]): Promise<void> => {
    const choice = this.#at.runtime.choosesTokens ? sharedChoice(rows) : undefined;
    const chosen = await (choice === undefined ? this.#decode(rows) : this.#decodeInPlan(rows, choice));
    for (const [index, { id, score }] of chosen.entries()) rows[index].push(id, score);
  };

  /** Tokens that are chosen from the logits of a pass, however each row draws. */
  async #decode(rows: readonly Row[]): Promise<ChosenToken[]> {
    const batch = rows.map((row) => ({
      // A row gets its sequence when it is admitted.
      sequence: row.sequence!,
      ids: [row.next],
      logits: "last" as const,
    }));
    using logits = await this.#at.runtime.forward(batch, { step: 1 });
    // Awaited here: the logits go when this returns.
    return await chooseTokens(
      logits,
      rows.map((row, at) => ({ row, at })),
    );
  }

  /** Tokens that the plan chooses: the device goes on while they are read. */
  async #decodeInPlan(rows: readonly Row[], choice: TokenChoice): Promise<ChosenToken[]> {
    const tokens = rows.map((row) => ({ sequence: row.sequence!, id: row.next, random: row.random }));
    // Whoever waits joins after this step, so that the next one is another batch's.
    const joined = this.#waiting.length > 0 || rows.length < this.#running.length;
    const goesOn = !joined && rows.every((row) => row.room > 1 && !row.signal.aborted);
    const { ids, logprobs } = await this.#at.runtime.decode(tokens, choice, { step: 1, goesOn });
    return rows.map(({ random, request }, index) => {
      random.next();
      const id = ids[index];
      const logprob = logprobs?.[index];
      const isScored = request.top !== undefined && logprob !== undefined;
      return { id, score: isScored ? { id, logprob, top: [] } : undefined };
    });
  }

  #dropAborted(): void {
    for (const row of [...this.#waiting, ...this.#running]) {
      if (row.signal.aborted) this.#remove(row, row.signal.reason);
    }
  }

  #admit(): void {
    while (this.#waiting.length > 0 && this.#running.length < this.#limits.batch) {
      const [row] = this.#waiting;
      if (this.#isWorthWaiting(row) || !this.#makeRoom(row)) return;
      this.#waiting.shift();
      // The pass that may be under way is not that of the new batch.
      this.#at.runtime.dropAhead();
      this.#begin(row);
      this.#running.push(row);
    }
  }

  /** Whether a prompt that is being run will soon serve this one, which could not be run before it anyway. */
  #isWorthWaiting(row: Row): boolean {
    const { prompt, scorePrompt } = row.request;
    return (
      !scorePrompt &&
      this.#running.some(
        (other) => !other.isPrefilled && sharedLength(other.request.prompt, prompt) >= worthWaiting,
      )
    );
  }

  /** Whether the row has room in the KV cache, however long it and the running ones become. */
  #makeRoom(row: Row): boolean {
    const { kv } = this.#at.runtime;
    // One page more for the copy of a page that is shared.
    const pagesOf = ({ most }: Row) => Math.ceil(most / kv.pageTokens) + 1;
    const all = Math.min(kv.pageCount, Math.ceil(this.#limits.kvTokens / kv.pageTokens) + 1);
    const needed = [...this.#running, row].reduce((sum, one) => sum + pagesOf(one), 0);
    // A context of less than a page has no room for a copy, and nothing to share either: alone it always fits.
    if (needed > all) return this.#running.length === 0;
    while (needed + this.#prefixes.pages > all) this.#prefixes.drop();
    return true;
  }

  #begin(row: Row): void {
    const { prompt, scorePrompt } = row.request;
    // The scores of a prompt need the logits of all its tokens.
    const found = scorePrompt ? undefined : this.#prefixes.find(prompt, this.#running);
    row.sequence = found?.sequence.fork() ?? this.#at.runtime.kv.createSequence();
    if (found !== undefined) {
      row.sequence.truncate(found.shared);
      row.known = found.shared;
    }
  }

  /** Nothing is to be made and nothing to be scored. */
  #finishUnseen(row: Row): void {
    row.promptDone();
    row.resolve();
  }

  #finish(row: Row): void {
    this.#running = this.#running.filter((one) => one !== row);
    if (row.sequence !== undefined) this.#prefixes.keep(row.seen, row.sequence);
    row.resolve();
  }

  #remove(row: Row, reason: unknown): void {
    this.#waiting = this.#waiting.filter((one) => one !== row);
    this.#running = this.#running.filter((one) => one !== row);
    row.sequence?.release();
    row.reject(reason);
  }
}
