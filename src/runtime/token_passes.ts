import { PersimmonError } from "../errors.js";
import type { Device } from "../tensor/device.js";
import { AheadPass, type PassConditions } from "./ahead_pass.js";
import { type BatchEntry, checkSequences, extendSequences } from "./batch.js";
import type { KvCache } from "./kv_cache.js";
import { type PassRows, rowsOf } from "./rows.js";
import type { ChosenTokens, PendingTokens, TokenChoice, TokenPlan, TokenRow } from "./token_plan.js";

export interface DecodeOptions {
  /** 1, 2, … for each token of a generation behind the first. */
  step: number;
  /** Whether every row is likely to go on with the token that is chosen now, and has room for the one after. */
  goesOn: boolean;
}

/** What passes need of the runtime that they belong to. */
export interface PassMaker {
  readonly device: Device;
  readonly kv: KvCache;
  conditions(choice: TokenChoice): PassConditions;
  /** Runs a pass by its plan, which is recorded where there is none yet. */
  run(pass: TokenRows, choice: TokenChoice, conditions: PassConditions): Promise<TokenPlan>;
  /** Runs the pass after the one that a plan has just run. */
  runAhead(plan: TokenPlan, pass: TokenRows): Promise<LaunchedAhead>;
  /** Tells those who watch what a pass has taken. */
  report(plan: TokenPlan, rows: PassRows): Promise<void>;
  /** Whether nobody looks at the pass, and the plan is still the one for so many rows under these conditions. */
  mayFollow(plan: TokenPlan, rows: PassRows, conditions: PassConditions): boolean;
}

/** The rows of a pass, each way. */
export interface TokenRows {
  tokens: readonly TokenRow[];
  batch: readonly BatchEntry[];
  rows: PassRows;
}

/** A pass that is on the stream. */
export interface LaunchedPass {
  plan: TokenPlan;
  pending: PendingTokens;
  /** Where in it the rows stand that were asked for. */
  places: readonly number[];
}

/** A pass that was launched before anybody asked for it. */
export interface LaunchedAhead {
  /** Of the device, when it was launched. */
  overwrites: number;
  /** Leaves out those of its ops that have not begun. */
  cancel: () => void;
}

/**
 * The passes of a generation, each of which chooses its tokens on the device. The next one is launched before the tokens of one
 * are read, since reading, and what JavaScript does with a token, takes as long as a part of a pass: 0.3 ms on a CPU, of 12 ms for a
 * token of four layers of the 8B in int4. Who asks for passes need not
 * know: what was launched is only used if it is what would be run now (AheadPass).
 */
export class TokenPasses {
  readonly #maker: PassMaker;
  #ahead: AheadPass | undefined;

  constructor(maker: PassMaker) {
    this.#maker = maker;
  }

  /** Puts a pass on the stream, unless it is there already, and the next one if that may be. */
  async launch(
    tokens: readonly TokenRow[],
    choice: TokenChoice,
    { step, goesOn }: DecodeOptions,
  ): Promise<LaunchedPass> {
    const batch = tokens.map(({ sequence, id }) => ({ sequence, ids: [id], logits: "last" as const }));
    checkSequences(this.#maker.kv, batch);
    const starts = batch.map(({ sequence }) => sequence.length);
    const conditions = this.#maker.conditions(choice);
    const launched = this.#take(tokens, conditions);
    const takeBack = extendSequences(batch);
    try {
      const pass = { tokens, batch, rows: rowsOf(batch, starts, "decode", step) };
      const now = launched ?? (await this.#run(pass, choice, conditions));
      if (goesOn) await this.#launchNext(now, pass, conditions);
      return now;
    } catch (error) {
      takeBack();
      throw error;
    }
  }

  /** The tokens of a pass, in the order of the rows that were asked for. */
  async read({ pending, places }: LaunchedPass): Promise<ChosenTokens> {
    const { ids, logprobs } = await pending.read();
    if (this.#ahead?.after === pending) this.#ahead.ids = ids;
    return {
      ids: Int32Array.from(places, (place) => ids[place]),
      logprobs: logprobs && Float32Array.from(places, (place) => logprobs[place]),
    };
  }

  /** Forgets what was launched and not asked for. */
  drop(): void {
    this.#ahead?.drop();
    this.#ahead = undefined;
  }

  /** What was launched ahead, if it is the pass for these rows. */
  #take(tokens: readonly TokenRow[], conditions: PassConditions): LaunchedPass | undefined {
    const ahead = this.#ahead;
    const places = ahead?.placesOf(tokens, conditions);
    if (ahead === undefined || places === undefined) {
      this.drop();
      return undefined;
    }
    this.#ahead = undefined;
    ahead.leaveTo(tokens);
    return { plan: ahead.plan, pending: ahead.pending, places };
  }

  async #run(pass: TokenRows, choice: TokenChoice, conditions: PassConditions): Promise<LaunchedPass> {
    const plan = await this.#maker.run(pass, choice, conditions);
    try {
      const pending = plan.pending();
      await this.#maker.report(plan, pass.rows);
      return { plan, pending, places: [...pass.tokens.keys()] };
    } finally {
      if (plan.isOnce) plan.release();
    }
  }

  /** Launches the pass after `now`, where that needs nothing but what `now` leaves on the device. */
  async #launchNext(now: LaunchedPass, pass: TokenRows, conditions: PassConditions) {
    const { plan, pending, places } = now;
    const { tokens, batch, rows } = pass;
    const next = rowsAfter(rows);
    // The plan has its rows where they were. One with rows that have left is not that of these rows (mayFollow).
    if (places.some((place, at) => place !== at)) return;
    if (!plan.canFollowItself || !plan.suits(next)) return;
    if (!this.#maker.mayFollow(plan, rows, conditions) || !reserve(batch)) return;
    const { overwrites, cancel } = await this.#maker.runAhead(plan, { ...pass, rows: next });
    this.#ahead = new AheadPass(plan, pending, tokens, { ...conditions, overwrites }, cancel);
  }
}

function rowsAfter(rows: PassRows): PassRows {
  const positions = rows.positions.map((position) => position + 1);
  return { ...rows, step: rows.step + 1, positions, longest: rows.longest + 1 };
}

/** Takes the pages of one more token for each sequence; of none where the cache is full. */
function reserve(batch: readonly BatchEntry[]): boolean {
  try {
    for (const { sequence } of batch) sequence.reserve(1);
    return true;
  } catch (error) {
    for (const { sequence } of batch) sequence.trim();
    if (error instanceof PersimmonError && error.code === "KV_CACHE_FULL") return false;
    throw error;
  }
}
