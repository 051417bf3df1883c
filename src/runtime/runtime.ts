import { PersimmonError } from "../errors.js";
import type { Persimmon } from "../model/persimmon.js";
import { withNames } from "../nn/path.js";
import { withRunner } from "../nn/runner.js";
import { type Observer, observed } from "../nn/tap.js";
import type { Device } from "../tensor/device.js";
import { scope } from "../tensor/scope.js";
import { onHostRead, type Tensor } from "../tensor/tensor.js";
import type { PassConditions } from "./ahead_pass.js";
import { type BatchEntry, checkSequences, extendSequences } from "./batch.js";
import { DecodePlan } from "./decode_plan.js";
import { fingerprint, forgetFingerprint } from "./fingerprint.js";
import { interruptible } from "./interruptible.js";
import { Interventions, type Phase } from "./interventions.js";
import type { KvCache } from "./kv_cache.js";
import { Pass, type PassObserver, type PassSettings } from "./pass.js";
import type { PlanKey } from "./plan.js";
import { PlanCache } from "./plan_cache.js";
import { prefillChunk } from "./prefill.js";
import { reportChecks, reportWatched } from "./reports.js";
import { type PassRows, rowsOf } from "./rows.js";
import { eagerStep } from "./step.js";
import {
  type DecodeOptions,
  type LaunchedAhead,
  type LaunchedPass,
  type PassMaker,
  TokenPasses,
  type TokenRows,
} from "./token_passes.js";
import { type ChosenTokens, type TokenChoice, TokenPlan, type TokenRow } from "./token_plan.js";
import { Turns } from "./turns.js";

export interface ForwardOptions {
  /** 0 (the default) for a prompt, then 1, 2, … for each token of a generation. */
  step?: number;
  /** false runs the modules anew for each token instead of replaying a plan; true. */
  capture?: boolean;
  /** Cuts the plan at every site, for debugging: the same runner, one segment a site; false. */
  breakEverywhere?: boolean;
  /** Takes values out of the pass. A pass with an observer is never replayed. */
  observer?: PassObserver;
  /** Ends the waiting for its turn, and a pass that is not replayed between two of its ops; what it had begun is forgotten. */
  signal?: AbortSignal;
}

/** Runs the forward passes of one model: eagerly for prompts, from recorded plans for single tokens. */
export class Runtime {
  readonly plans = new PlanCache<DecodePlan>();
  /** Whether values that edits and hooks make are searched for NaN and infinite numbers. */
  checkFinite = false;
  /**
   * Tokens of a prompt that one pass takes; 512. Fewer take less memory and more time; no bit depends on it. A pattern of
   * all layers, say, takes chunk · heads · keys numbers.
   */
  chunkTokens = prefillChunk;
  /**
   * Whether a generation chooses its tokens inside of the plan, and has the next pass launched before they are read; true. The tokens
   * are the same without, but the device waits for JavaScript between two passes.
   */
  tokensInPlan = true;
  readonly #tokens: TokenPasses;
  readonly #hostReaders = new WeakSet<object>();
  readonly #turns = new Turns();
  #isDisposed = false;

  /** @param maxLength positions of the longest text */
  constructor(
    readonly model: Persimmon,
    readonly device: Device,
    readonly kv: KvCache,
    readonly maxLength: number,
    readonly interventions = new Interventions(),
  ) {
    this.#tokens = new TokenPasses(this.#passMaker());
  }

  /**
   * One forward pass over a flat batch: the tokens of all entries behind one another. Sequences grow by their tokens; if
   * anything throws they keep their former length. Throws `SEQUENCE_FOREIGN`, `SEQUENCE_REPEATED`, `SEQUENCE_RELEASED`,
   * `KV_CACHE_FULL`, `MODEL_DISPOSED`, `MODULE_INVALID`, `HOOK_FAILED`, `HOOK_RESULT_INVALID`, `ACTIVATION_NOT_FINITE`, `INTERRUPTED`.
   * @returns logits [rows, vocabulary], the rows of the first entry first; the caller releases it
   */
  async forward(batch: readonly BatchEntry[], options: ForwardOptions = {}): Promise<Tensor> {
    const leave = await this.enter(options.signal);
    const leavePass = this.interventions.enterPass();
    try {
      this.#expectThere();
      checkSequences(this.kv, batch);
      const starts = batch.map((entry) => entry.sequence.length);
      const takeBack = extendSequences(batch);
      try {
        const phase = (options.step ?? 0) > 0 ? "decode" : "prefill";
        return await this.run(batch, rowsOf(batch, starts, phase, options.step ?? 0), options);
      } catch (error) {
        takeBack();
        throw error;
      }
    } finally {
      leavePass();
      leave();
    }
  }

  /**
   * Begins a generation; a model makes one at a time. Waits for a tool that has the model to itself, and for a generation that
   * was cancelled and makes its last token.
   * @param options `untilStopped`: whether it has no end of its own, as that of a server; tools then do not wait for it
   * @returns what is called when it has ended
   * @throws PersimmonError MODEL_BUSY
   */
  beginGeneration(signal: AbortSignal, options: { untilStopped?: boolean } = {}): Promise<() => void> {
    return this.#turns.beginGeneration(signal, options);
  }

  /**
   * For tools that edit the model for a while: calls `run` when what was asked for before has ended, and lets no one else run a pass until
   * it has settled. What is called inside of `run` does not wait for it, and may call `alone` again.
   * @param signal ends the waiting, as the notebook's stop button does
   * @throws PersimmonError MODEL_BUSY while a server has the model; INTERRUPTED; what `run` throws
   */
  alone<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#turns.alone(run, signal);
  }

  /**
   * Calls `read` between two passes, when no tool has edits of its own in force.
   * @throws PersimmonError INTERRUPTED where the signal is aborted before
   */
  async betweenPasses<T>(read: () => T, signal?: AbortSignal): Promise<T> {
    const leave = await this.#turns.enterPass(signal);
    try {
      return read();
    } finally {
      leave();
    }
  }

  /** Over how many ranks the model is split; 1 where it is not. */
  get ranks(): number {
    return 1;
  }

  /** Throws `MODEL_BUSY` while a generation that was not cancelled, or a tool that has the model to itself, runs or waits. */
  expectIdle(what: string): void {
    this.#turns.expectIdle(what);
  }

  /** For models that are disposed of: gives back what passes have made and kept. Passes that come after throw `MODEL_DISPOSED`. */
  dispose(): void {
    this.#isDisposed = true;
    this.dropAhead();
    this.plans.clear();
    this.kv.dispose();
    forgetFingerprint(this.model);
  }

  #expectThere(): void {
    if (this.#isDisposed) throw disposedError();
  }

  /** Throws `MODEL_BUSY` while a tool has the model to itself or waits for it; inside of the tool, too. */
  expectNoTurn(what: string): void {
    this.#turns.expectNoTurn(what);
  }

  /** Waits for the passes, and the tools that have the model to themselves, before. */
  protected enter(signal?: AbortSignal): Promise<() => void> {
    return this.#turns.enterPass(signal);
  }

  /** One pass over sequences that were made long enough. All it enqueues without a break it does before it first waits. */
  protected async run(
    batch: readonly BatchEntry[],
    rows: PassRows,
    options: ForwardOptions,
  ): Promise<Tensor> {
    const isDecode = rows.phase === "decode" && batch.every(({ ids }) => ids.length === 1);
    const captured = isDecode && options.capture !== false && options.observer === undefined;
    // Taken for each pass: it is also what finds a part that is no module.
    const modules = fingerprint(this.model);
    if (!captured || this.#hostReaders.has(this.model)) return this.#eager(batch, rows, options);
    const key = this.#key(this.#conditions(modules, rows.phase, options), rows);
    const { device, kv, maxLength } = this;
    const make = () => new DecodePlan(device, kv, key, batch.length, maxLength);
    const plan = await this.#runPlan(make, key, rows, options, (each) => each.setInputs(batch, rows));
    return this.#finish(plan, rows);
  }

  /**
   * As `forward` for one token a row, but the plan goes on to choose the token after each: what comes back is a few bytes, and the
   * next pass may be under way by then (see TokenPasses). Throws what `forward` does.
   * @returns one token for each row
   */
  async decode(
    rows: readonly TokenRow[],
    choice: TokenChoice,
    options: DecodeOptions,
  ): Promise<ChosenTokens> {
    const leave = await this.enter();
    const leavePass = this.interventions.enterPass();
    let launched: LaunchedPass;
    try {
      this.#expectThere();
      launched = await this.#tokens.launch(rows, choice, options);
    } finally {
      leavePass();
      leave();
    }
    return this.#tokens.read(launched);
  }

  /** Forgets a pass that `decode` has launched and nobody will ask for. */
  dropAhead(): void {
    this.#tokens.drop();
  }

  /** Whether generations are to use `decode`. */
  get choosesTokens(): boolean {
    return this.tokensInPlan && !this.#hostReaders.has(this.model);
  }

  /** Runs the modules without recording. */
  async #eager(batch: readonly BatchEntry[], rows: PassRows, options: ForwardOptions): Promise<Tensor> {
    const settings = this.#settings(rows, options);
    let pass: Pass | undefined;
    let logits: Tensor | undefined;
    const run = () =>
      scope(() => {
        const { step, device } = eagerStep(this.device, this.kv, batch, rows);
        pass = new Pass(settings, rows, device);
        return this.#call(pass, step);
      });
    try {
      const { signal } = options;
      // Counters must count all of a pass, or nothing.
      const isCounted = [...settings.interventions.values()].flat().some(({ kind }) => kind === "count");
      logits = signal === undefined || isCounted ? run() : await interruptible(this.device, signal, run);
      await this.report(rows, pass?.watched ?? [], pass?.checks ?? []);
      return logits;
    } catch (error) {
      logits?.release();
      throw error;
    } finally {
      for (const { value } of pass?.watched ?? []) value.release();
      for (const { count } of pass?.checks ?? []) count.release();
    }
  }

  /** Runs the plan of a pass: again where there is one that reaches so far, else by recording it. */
  async #runPlan<P extends DecodePlan>(
    make: () => P,
    key: PlanKey,
    rows: PassRows,
    options: ForwardOptions,
    setInputs: (plan: P) => void,
  ): Promise<P> {
    this.plans.dropUnless((id) => this.interventions.has(id));
    // The key says what kind of plan it is.
    const plan = this.plans.find(key) as P | undefined;
    if (!plan?.suits(rows)) return this.#record(make(), rows, options, setInputs);
    setInputs(plan);
    await plan.replay(rows);
    return plan;
  }

  /** Runs the modules and records what they do: the recording pass is the pass itself. */
  #record<P extends DecodePlan>(
    plan: P,
    rows: PassRows,
    options: ForwardOptions,
    setInputs: (plan: P) => void,
  ): P {
    try {
      setInputs(plan);
      const pass = new Pass(this.#settings(rows, options), rows, plan.deviceRows, plan);
      onHostRead(() => pass.hostRead());
      plan.begin();
      try {
        plan.keepResult(() => this.#call(pass, plan.step(rows)));
      } finally {
        onHostRead(undefined);
        if (plan.isRecording) plan.end();
      }
      plan.taken = pass;
      plan.isOnce = pass.foundHostReader;
      if (!plan.isOnce) this.plans.add(plan);
      return plan;
    } catch (error) {
      plan.release();
      throw error;
    }
  }

  /** Hands out what a plan has just computed. */
  async #finish(plan: DecodePlan, rows: PassRows): Promise<Tensor> {
    // A copy, because the next run writes into the plan's own.
    const logits = plan.result();
    try {
      await this.report(rows, plan.taken.watched, plan.taken.checks);
      return logits;
    } catch (error) {
      logits.release();
      throw error;
    } finally {
      if (plan.isOnce) plan.release();
    }
  }

  #call(pass: Pass, step: Parameters<Persimmon["call"]>[0]): Tensor {
    const observer = this.observing(pass);
    return withNames(this.model, () =>
      observed(observer, () => withRunner(pass, () => this.model.call(step))),
    );
  }

  /** Who looks into a pass. */
  protected observing(pass: Pass): Observer {
    return pass;
  }

  #settings(rows: PassRows, options: ForwardOptions): PassSettings {
    return {
      device: this.device,
      interventions: this.interventions.at(rows.phase),
      observer: options.observer,
      breakEverywhere: options.breakEverywhere ?? false,
      checkFinite: this.checkFinite,
      hostReaders: this.#hostReaders,
    };
  }

  #conditions(modules: readonly unknown[], phase: Phase, options: ForwardOptions): PassConditions {
    const interventions = this.interventions.ids(phase);
    const settings = [options.breakEverywhere ?? false, this.checkFinite, this.device.joinsOps];
    const { overwrites } = this.device;
    return {
      fingerprint: modules,
      signature: `${settings.join()}:${interventions.join()}`,
      interventions,
      overwrites,
    };
  }

  #key({ fingerprint, signature, interventions }: PassConditions, rows: PassRows): PlanKey {
    return { fingerprint, signature: `${rows.positions.length}:${signature}`, interventions };
  }

  protected tokenConditions(choice: TokenChoice): PassConditions {
    const conditions = this.#conditions(fingerprint(this.model), "decode", {});
    return { ...conditions, signature: `${conditions.signature}:${choice.signature}` };
  }

  /** A pass that goes on to choose its tokens. All it enqueues without a break it does before it first waits. */
  protected runTokens(
    { tokens, batch, rows }: TokenRows,
    choice: TokenChoice,
    conditions: PassConditions,
  ): Promise<TokenPlan> {
    const { device, kv, maxLength } = this;
    const key = this.#key(conditions, rows);
    const make = () => new TokenPlan(device, kv, key, batch.length, maxLength, choice);
    return this.#runPlan(make, key, rows, {}, (plan) => {
      plan.setInputs(batch, rows);
      plan.setRandom(tokens);
    });
  }

  /** Runs a plan again, with what its last pass has left on the device; nobody may ask for this one in the end. */
  protected async runAhead(plan: TokenPlan, { batch, rows }: TokenRows): Promise<LaunchedAhead> {
    plan.setPages(batch);
    // As they are when it is enqueued: the plan has overwritten its own inputs since, and others may while this waits.
    const { overwrites } = this.device;
    return { overwrites, cancel: await plan.replayAhead(rows) };
  }

  /** What `decode` needs. */
  #passMaker(): PassMaker {
    const { device, kv, interventions, plans } = this;
    return {
      device,
      kv,
      conditions: (choice) => this.tokenConditions(choice),
      run: (pass, choice, conditions) => this.runTokens(pass, choice, conditions),
      runAhead: (plan, pass) => this.runAhead(plan, pass),
      report: (plan, rows) => this.report(rows, plan.taken.watched, plan.taken.checks),
      mayFollow: (plan, rows, conditions) =>
        !interventions.observes("decode") && plans.find(this.#key(conditions, rows)) === plan,
    };
  }

  /** Calls who watches and counts, after a pass. */
  protected async report(
    rows: PassRows,
    watched: readonly { site: string; value: Tensor }[],
    checks: readonly { site: string; count: Tensor }[],
  ): Promise<void> {
    await reportChecks(checks);
    const interventions = this.interventions.at(rows.phase);
    await reportWatched(watched, rows, interventions);
    const counters = new Set([...interventions.values()].flat());
    for (const counter of counters) if (counter.kind === "count") counter.counted(rows.positions.length);
  }
}

/** An error for what cannot be done with a model that is gone. */
export function disposedError(): PersimmonError {
  return new PersimmonError(
    "MODEL_DISPOSED",
    "this model was disposed of and has no weights any more: load it again, or dispose of it later",
  );
}
