import { KeyboardInterrupt } from "./interrupts.js";

/** A strand of user code: a cell's body, a timer's callback, a comm's handler. */
export class Task {
  /** Stopped: what awaits in it never goes on. */
  dead = false;
  /** Rejects the awaits that wait now. */
  readonly waiting = new Set<(error: Error) => void>();

  /** @param parent id of the request whose code this is; its output belongs there */
  constructor(readonly parent: string) {}
}

interface Resumed {
  task: Task;
  value: unknown;
}

// The plain one: see promises.ts for what cells call.
const then = Promise.prototype.then;
const NEVER = new Promise<never>(() => {});

/**
 * Knows which task's code is running. Compiled code reports each await (`a` before, `r` after), which is what
 * async_hooks would be used for elsewhere: with promise hooks Node 20 aborts when an execution is terminated.
 */
export class Tasks {
  /** The task whose code runs now, as far as is known. */
  current: Task | undefined;
  /** The task of the cell that is being executed. */
  foreground: Task | undefined;
  /** The request that output belongs to when nothing is known to run. */
  lastParent = "";
  readonly #waiting = new Set<Task>();

  /** The id of the request that output written now belongs to. */
  get parent(): string {
    return (this.current ?? this.foreground)?.parent ?? this.lastParent;
  }

  /** Calls a function as this task. */
  as<T>(task: Task, work: () => T): T {
    const before = this.current;
    this.current = task;
    try {
      return work();
    } finally {
      this.current = before;
    }
  }

  /** Calls a function that Node calls back, and counts the promise callbacks that follow it to the same task. */
  callback<T>(task: Task, work: () => T): T {
    this.current = task;
    try {
      return work();
    } finally {
      this.#leave(task);
    }
  }

  /**
   * Before an await: a promise of the value, which an interrupt rejects. What V8 builds its asynchronous stack traces
   * from stays whole: the value settles `inner` by the resolving functions themselves, and what is awaited is derived
   * from `inner`. An await takes 0.1 µs more than with a promise that V8 cannot follow.
   * @param onRejection called with what the value was rejected with
   */
  before(value: unknown, onRejection?: (error: unknown, task: Task) => void): Promise<Resumed> {
    const task = this.current ?? this.foreground ?? new Task(this.lastParent);
    if (task.dead) return NEVER;
    let stop!: (error: Error) => void;
    const inner = new Promise<unknown>((resolve, reject) => {
      stop = reject;
      then.call(Promise.resolve(value), resolve, reject);
    });
    task.waiting.add(stop);
    this.#waiting.add(task);
    const arrive = () => {
      task.waiting.delete(stop);
      if (task.waiting.size === 0) this.#waiting.delete(task);
    };
    return then.call(
      inner,
      (settled) => {
        arrive();
        if (task.dead) throw this.#stopped(task);
        return { task, value: settled };
      },
      (error) => {
        arrive();
        if (task.dead) throw this.#stopped(task);
        this.current = task;
        onRejection?.(error, task);
        throw error;
      },
    ) as Promise<Resumed>;
  }

  /** After an await: the task goes on with the value. */
  after({ task, value }: Resumed): unknown {
    this.#resume(task);
    return value;
  }

  /** Iterates like `for await` does; an interrupt ends the iterator with `return()` and rejects. */
  async *iterate(
    iterable: AsyncIterable<unknown> | Iterable<unknown>,
    onRejection?: (error: unknown, task: Task) => void,
  ): AsyncGenerator<unknown> {
    const task = this.current ?? this.foreground ?? new Task(this.lastParent);
    const open = (iterable as Partial<AsyncIterable<unknown>>)[Symbol.asyncIterator];
    const iterator: AsyncIterator<unknown> | Iterator<unknown> = open
      ? open.call(iterable)
      : (iterable as Iterable<unknown>)[Symbol.iterator]();
    let ended = false;
    try {
      for (;;) {
        this.current = task;
        const step = (await this.before(iterator.next(), onRejection)) as Resumed;
        const { value, done } = step.value as IteratorResult<unknown>;
        if (done) {
          ended = true;
          this.#resume(task);
          return value;
        }
        const item = open ? value : ((await this.before(value, onRejection)) as Resumed).value;
        this.#resume(task);
        yield item;
      }
    } catch (error) {
      if (!(error instanceof KeyboardInterrupt)) ended = true;
      throw error;
    } finally {
      if (!ended) void Promise.resolve(iterator.return?.()).catch(() => {});
    }
  }

  /** Stops the tasks of a request, or every task that waits when there is none. Says whether any was stopped. */
  stop(parent: string | undefined): boolean {
    let stopped = false;
    const candidates = new Set(this.#waiting);
    if (this.foreground) candidates.add(this.foreground);
    for (const task of candidates) {
      if (parent !== undefined && task.parent !== parent) continue;
      stopped = true;
      task.dead = true;
      this.#waiting.delete(task);
      const waiting = [...task.waiting];
      task.waiting.clear();
      for (const reject of waiting) reject(new KeyboardInterrupt());
    }
    return stopped;
  }

  #stopped(task: Task): KeyboardInterrupt {
    this.current = task;
    return new KeyboardInterrupt();
  }

  /** Forgets the task once all promise callbacks have run: Node calls a tick that one of them asks for after the last. */
  #leave(task: Task): void {
    queueMicrotask(() =>
      process.nextTick(() => {
        if (this.current === task) this.current = undefined;
      }),
    );
  }

  #resume(task: Task): void {
    this.current = task;
    if (task === this.foreground) return;
    this.#leave(task);
  }
}
