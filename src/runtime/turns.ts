import { AsyncLocalStorage } from "node:async_hooks";
import { PersimmonError } from "../errors.js";
import { interruptSignal } from "../host.js";
import { Lock, unlessAborted } from "./lock.js";
import { isInterrupt } from "./prefill.js";

/** The model as those see it who use it at the same time: everyone, or what is called inside of one turn. */
class Level {
  /** Passes, one after the other; a turn counts as one long pass. */
  readonly passes = new Lock();
  /** Turns that run or wait. */
  turns = 0;
  /** Each turn holds a place here from when it was asked for to its end. Only generations wait for theirs. */
  readonly turnsBefore = new Lock();
  /** The generation that runs, or waits for the turns before it. Turns that come later wait for its end. */
  generation: { signal: AbortSignal; ended: Promise<void>; untilStopped: boolean } | undefined;
  /** Whether the turn has ended; who still is inside of it belongs to `outer`. */
  isOver = false;

  constructor(readonly outer?: Level) {}
}

/**
 * Who may run passes of a model, and when. Passes go one after the other: hooks await inside of a pass, and a plan has one set
 * of inputs. A tool that edits the model for a while takes a turn: passes of others wait until it is over, so that none runs
 * under edits that are not its own. What is called inside of a turn, by the tool itself or by a callback of the user, does not
 * wait for it.
 */
export class Turns {
  readonly #inside = new AsyncLocalStorage<Level>();
  readonly #everyone = new Level();

  /**
   * Waits for the passes and turns before.
   * @param signal ends the waiting, as the notebook's stop button does while a turn is waited for
   * @returns what is called when the pass has ended
   * @throws PersimmonError INTERRUPTED
   */
  async enterPass(signal?: AbortSignal): Promise<() => void> {
    while (true) {
      const level = this.#level();
      // Passes are short; only who waits for a turn needs the stop button.
      const leave = await level.passes.enter(level.turns > 0 ? interruptSignal(signal) : signal);
      if (!level.isOver) return leave;
      leave();
    }
  }

  /**
   * Calls `run` when the generations, turns and passes before have ended, and lets no one else run a pass until it has settled.
   * Inside of it turns may be taken again.
   * @param signal ends the waiting, as the notebook's stop button does
   * @throws PersimmonError MODEL_BUSY while a server has the model; INTERRUPTED
   */
  async alone<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const ended = interruptSignal(signal);
    while (true) {
      const level = this.#level();
      if (level.generation?.untilStopped) {
        throw busy("a tool that edits the model cannot run", "this model is served: stop the server first");
      }
      level.turns++;
      const place = level.turnsBefore.enter();
      let leave: () => void = () => {};
      try {
        // Only for one that was begun before: those behind it wait for this turn.
        if (level.generation !== undefined) await unlessAborted(level.generation.ended, ended);
        leave = await level.passes.enter(ended);
        if (!level.isOver) return await this.#within(new Level(level), run);
      } finally {
        level.turns--;
        // Else every await of the process costs a fifth of a microsecond more from now on, those of tokens too.
        if (this.#everyone.turns === 0) this.#inside.disable();
        leave();
        void place.then((leaveTurns) => leaveTurns());
      }
    }
  }

  async #within<T>(level: Level, run: () => Promise<T>): Promise<T> {
    try {
      return await this.#inside.run(level, run);
    } finally {
      level.isOver = true;
      // A callback may have begun a pass and not waited for it.
      (await level.passes.enter())();
    }
  }

  /**
   * Begins a generation; a model makes one at a time. Waits for turns, and for a generation that was cancelled and makes its last
   * token. Where the signal is aborted meanwhile it begins at once, to end at once.
   * @param untilStopped whether it has no end of its own, as that of a server
   * @returns what is called when it has ended
   * @throws PersimmonError MODEL_BUSY
   */
  async beginGeneration(signal: AbortSignal, { untilStopped = false } = {}): Promise<() => void> {
    let level = this.#level();
    while (level.generation !== undefined) {
      if (!level.generation.signal.aborted) throw generationRuns("a second generation cannot begin");
      await level.generation.ended;
      level = this.#level();
    }
    let resolve: () => void = () => {};
    const ended = new Promise<void>((done) => {
      resolve = done;
    });
    level.generation = { signal, ended, untilStopped };
    await level.turnsBefore.enter(signal).then(
      (leave) => leave(),
      (error) => {
        if (!isInterrupt(error, signal)) throw error;
      },
    );
    return () => {
      level.generation = undefined;
      resolve();
    };
  }

  /** Throws `MODEL_BUSY` while a generation that was not cancelled, or someone else's turn, runs or waits. */
  expectIdle(what: string): void {
    const { generation, turns } = this.#level();
    if (generation !== undefined && !generation.signal.aborted) throw generationRuns(what);
    if (turns > 0) throw turnRuns(what);
  }

  /** Throws `MODEL_BUSY` while any turn runs or waits, also where one is inside of it. */
  expectNoTurn(what: string): void {
    if (this.#everyone.turns > 0) throw turnRuns(what);
  }

  #level(): Level {
    let level = this.#inside.getStore() ?? this.#everyone;
    while (level.isOver) level = level.outer as Level;
    return level;
  }
}

function generationRuns(what: string): PersimmonError {
  return busy(
    what,
    "a generation of this model runs: wait for it (await stream.done) or cancel it first. The strength of an edit (edit.scale = …) may be changed at any time, and generateBatch runs several prompts at once.",
  );
}

function turnRuns(what: string): PersimmonError {
  return busy(
    what,
    "a tool that edits the model for a while, such as activationPatching or ablationStudy, runs or waits for its turn: await it first",
  );
}

function busy(what: string, why: string): PersimmonError {
  return new PersimmonError("MODEL_BUSY", `${what} while ${why}`);
}
