import type { EvalItem } from "../task.js";

/** One sample that is to be made. */
export interface Piece {
  key: string;
  item: EvalItem;
  shot: EvalItem | undefined;
  sample: number;
}

/** Pieces that someone works on. */
export interface Handout {
  readonly pieces: readonly Piece[];
  readonly since: number;
  /** Whether someone else works on them too. */
  isDoubled: boolean;
}

export interface QueueOptions {
  /** Most pieces of a handout. */
  batchSize: number;
  /** Among how many the work is shared, now. */
  workers: () => number;
  /** Milliseconds that a handout may take at least before someone idle takes it over; 10,000. */
  patience?: number;
  /** Milliseconds since any time; `performance.now()`. */
  now?: () => number;
}

/** A handout that takes so many times as long as usual is taken over. */
const slowness = 3;

/**
 * Hands out work in small parts: whoever is done first gets the next, and towards the end the parts grow smaller, so that unequal
 * machines finish together. What is not finished when its worker is lost is handed out again; what a worker takes too long for
 * is given to an idle one as well, and whichever is done first counts: the samples are the same.
 */
export class WorkQueue {
  /** Resolves when all is finished. */
  readonly finished: Promise<void>;
  #onFinished: () => void = () => {};
  readonly #options: Required<QueueOptions>;
  #pending: Piece[];
  readonly #left: Map<string, Piece>;
  readonly #handouts = new Set<Handout>();
  #done = { ms: 0, pieces: 0 };
  #change: PromiseWithResolversLike = resolvers();

  constructor(pieces: readonly Piece[], options: QueueOptions) {
    this.#options = { patience: 10_000, now: () => performance.now(), ...options };
    this.#pending = [...pieces];
    this.#left = new Map(pieces.map((piece) => [piece.key, piece]));
    this.finished = new Promise((resolve) => {
      this.#onFinished = resolve;
    });
    if (this.isFinished) this.#onFinished();
  }

  get isFinished(): boolean {
    return this.#left.size === 0;
  }

  /** The next part; waits while all is being worked on, and gives undefined when all is finished or `signal` aborted. */
  async next(signal: AbortSignal): Promise<Handout | undefined> {
    while (!this.isFinished && !signal.aborted) {
      const pieces = this.#take();
      if (pieces !== undefined) {
        const handout = { pieces, since: this.#options.now(), isDoubled: false };
        this.#handouts.add(handout);
        return handout;
      }
      await this.#changed(signal);
    }
    return undefined;
  }

  isLeft(key: string): boolean {
    return this.#left.has(key);
  }

  /** Says that a piece is done. @returns false when it was before */
  finish(key: string): boolean {
    const isNew = this.#left.delete(key);
    if (this.isFinished) {
      this.#onFinished();
      this.#wake();
    }
    return isNew;
  }

  /** Ends a handout; what of it is not finished, and nobody else works on, is handed out again. */
  release(handout: Handout): void {
    if (!this.#handouts.delete(handout)) return;
    const finished = handout.pieces.filter(({ key }) => !this.#left.has(key)).length;
    if (finished === handout.pieces.length) {
      this.#done.ms += this.#options.now() - handout.since;
      this.#done.pieces += finished;
    }
    const worked = new Set([...this.#handouts].flatMap(({ pieces }) => pieces.map(({ key }) => key)));
    const waiting = new Set(this.#pending.map(({ key }) => key));
    const back = handout.pieces.filter(
      ({ key }) => this.#left.has(key) && !worked.has(key) && !waiting.has(key),
    );
    this.#pending = [...back, ...this.#pending];
    for (const other of this.#handouts) {
      if (other.pieces.some(({ key }) => handout.pieces.some((piece) => piece.key === key)))
        other.isDoubled = false;
    }
    this.#wake();
  }

  #take(): Piece[] | undefined {
    const { batchSize, workers } = this.#options;
    if (this.#pending.length > 0) {
      const share = Math.ceil(this.#pending.length / (2 * Math.max(1, workers())));
      return this.#pending.splice(0, Math.min(batchSize, share));
    }
    const slow = this.#waitedFor().find((handout) => this.#patienceLeft(handout) <= 0);
    if (slow === undefined) return undefined;
    slow.isDoubled = true;
    return slow.pieces.filter(({ key }) => this.#left.has(key)).slice(0, batchSize);
  }

  /** Handouts that an idle worker could take over. */
  #waitedFor(): Handout[] {
    return [...this.#handouts].filter(
      ({ pieces, isDoubled }) => !isDoubled && pieces.some(({ key }) => this.#left.has(key)),
    );
  }

  /** Infinite as long as nobody knows how long work takes. */
  #patienceLeft({ pieces, since }: Handout): number {
    const { ms, pieces: count } = this.#done;
    if (count === 0) return Number.POSITIVE_INFINITY;
    const patience = Math.max(this.#options.patience, (slowness * ms * pieces.length) / count);
    return since + patience - this.#options.now();
  }

  async #changed(signal: AbortSignal): Promise<void> {
    const soonest = Math.min(...this.#waitedFor().map((handout) => this.#patienceLeft(handout)));
    const wake = () => this.#wake();
    const timer = Number.isFinite(soonest) ? setTimeout(wake, Math.max(1, soonest)) : undefined;
    signal.addEventListener("abort", wake, { once: true });
    try {
      await this.#change.promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
    }
  }

  #wake(): void {
    const { resolve } = this.#change;
    this.#change = resolvers();
    resolve();
  }
}

interface PromiseWithResolversLike {
  promise: Promise<void>;
  resolve: () => void;
}

function resolvers(): PromiseWithResolversLike {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
