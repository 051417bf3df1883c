import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { PersimmonError } from "../../errors.js";
import type { JupyterServer } from "./jupyter_server.js";
import type { SocketTimes } from "./kernel_socket.js";
import type { WorkerPiece, WorkerSetup } from "./protocol.js";
import { RemoteKernel } from "./remote_kernel.js";
import { kernelsByHost } from "./threads.js";
import { type Handout, type Piece, WorkQueue } from "./work_queue.js";

/** The kernels of one server. */
export interface ServerProgress {
  url: string;
  /** Kernels that were asked for. */
  kernels: number;
  /** Those that answer now. */
  ready: number;
  /** Those that were given up. */
  lost: number;
  /** Samples that came from there. */
  samples: number;
  /** Threads of the model in each; undefined before the first is ready. */
  threads: number | undefined;
}

export interface PoolOptions {
  setup: Omit<WorkerSetup, "kernelsHere">;
  batchSize: number;
  /** Checks what a kernel's run would be. Throws what ends the whole run. */
  accept: (manifest: unknown, server: string) => void;
  /**
   * Checks a message of finished samples and keeps those that are not finished yet.
   * @param asked what was asked for in this batch, by key
   * @param isNew whether nobody else was faster
   * @returns keys of all in it
   */
  receive: (
    message: Record<string, unknown>,
    asked: ReadonlyMap<string, Piece>,
    isNew: (key: string) => boolean,
    server: JupyterServer,
  ) => string[];
  /** Milliseconds before a kernel that was lost is started again, for each time in a row. */
  pauses?: readonly number[];
  patience?: number;
  times?: Partial<SocketTimes>;
}

/** Errors that say something about one kernel or connection; another kernel may do better. */
const losses = new Set([
  "EVAL_KERNEL_LOST",
  "EVAL_KERNEL_FAILED",
  "EVAL_SERVER_UNREACHABLE",
  "EVAL_SERVER_FAILED",
]);

interface Slot {
  server: JupyterServer;
  state: "starting" | "ready" | "waiting" | "lost";
  samples: number;
  threads: number | undefined;
  /** Whether a kernel of it was ready once. */
  wasReady: boolean;
  reason: string;
}

/**
 * Kernels on servers that share the work of a run. A kernel that is lost is started again a few times and then given up; its work
 * goes to the others meanwhile. Whatever happens, `close` leaves no kernel behind that its server can still end.
 */
export class KernelPool {
  readonly #options: PoolOptions;
  readonly #slots: Slot[];
  readonly #kernelsOn: (server: { url: string }) => number;
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  /** Kernels that could not be shut down yet. */
  readonly #kernels = new Map<string, JupyterServer>();
  readonly #ready: Promise<void>;
  #work: WorkQueue | undefined;
  #begin: (queue: WorkQueue) => void = () => {};
  readonly #begun: Promise<WorkQueue>;
  #onReady: () => void = () => {};
  #onFailure: (error: unknown) => void = () => {};
  readonly #failure: Promise<never>;

  constructor(servers: readonly JupyterServer[], options: PoolOptions) {
    this.#options = options;
    this.#kernelsOn = kernelsByHost(servers.map((server) => server.options));
    // One listener for each kernel is no leak.
    setMaxListeners(0, this.#stop.signal);
    this.#begun = new Promise((resolve) => {
      this.#begin = resolve;
    });
    this.#failure = new Promise((_, reject) => {
      this.#onFailure = reject;
    });
    this.#failure.catch(() => {});
    this.#ready = new Promise((resolve) => {
      this.#onReady = resolve;
    });
    this.#slots = servers.flatMap((server) =>
      Array.from({ length: server.options.kernels }, (): Slot => {
        return { server, state: "starting", samples: 0, threads: undefined, wasReady: false, reason: "" };
      }),
    );
    this.#running = Promise.all(this.#slots.map((slot) => this.#run(slot)));
  }

  /**
   * Waits until the first kernel is ready and accepted. Throws what `accept` does, errors of the library in a kernel (such
   * as CHECKPOINT_NOT_FOUND), and `EVAL_KERNELS_LOST` when none gets that far.
   */
  async ready(signal: AbortSignal): Promise<void> {
    await Promise.race([this.#ready, this.#failure, aborted(signal)]);
  }

  /** Has pieces made; returns when all are, or when `signal` is aborted. Throws as `ready` does. */
  async make(pieces: readonly Piece[], signal: AbortSignal): Promise<void> {
    const workers = () => this.#slots.filter(({ state }) => state === "ready").length;
    const { batchSize, patience } = this.#options;
    const queue = new WorkQueue(pieces, { batchSize, workers, ...(patience !== undefined && { patience }) });
    this.#work = queue;
    this.#begin(queue);
    await Promise.race([queue.finished, this.#failure, aborted(signal)]);
  }

  progress(): ServerProgress[] {
    const servers = [...new Set(this.#slots.map(({ server }) => server))];
    return servers.map((server) => {
      const slots = this.#slots.filter((slot) => slot.server === server);
      const count = (state: Slot["state"]) => slots.filter((slot) => slot.state === state).length;
      return {
        url: server.name,
        kernels: slots.length,
        ready: count("ready"),
        lost: count("lost"),
        samples: slots.reduce((sum, { samples }) => sum + samples, 0),
        threads: slots.find(({ threads }) => threads !== undefined)?.threads,
      };
    });
  }

  /** Ends all kernels. Warns of those that it could not end. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    for (const [id, server] of this.#kernels) {
      await server.shutdownKernel(id).then(
        () => this.#kernels.delete(id),
        (error) => {
          // Its kernels end with a server, or nobody can reach them.
          if ((error as PersimmonError).code === "EVAL_SERVER_UNREACHABLE") return;
          process.emitWarning(`kernel ${id} of ${server.name} could not be shut down: ${error.message}`);
        },
      );
    }
  }

  async #run(slot: Slot): Promise<void> {
    const { pauses = [1000, 4000, 15_000] } = this.#options;
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted && !this.#work?.isFinished; ) {
      const before = slot.samples;
      try {
        await this.#runKernel(slot);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (!isLoss(error, slot)) return this.#onFailure(error);
        slot.reason = error.message;
        failures = slot.samples > before ? 1 : failures + 1;
        if (failures > pauses.length) {
          slot.state = "lost";
          if (this.#slots.every(({ state }) => state === "lost")) this.#onFailure(allLost(this.#slots));
          return;
        }
        slot.state = "waiting";
        await sleep(pauses[failures - 1], undefined, { signal }).catch(() => {});
        slot.state = "starting";
      }
    }
  }

  /** From the start of a kernel to its end; returns when there is nothing left to do. */
  async #runKernel(slot: Slot): Promise<void> {
    const { server } = slot;
    const { signal } = this.#stop;
    let started: string | undefined;
    let kernel: RemoteKernel | undefined;
    const onStarted = (id: string) => {
      started = id;
      this.#kernels.set(id, server);
    };
    try {
      kernel = await RemoteKernel.start(server, onStarted, signal, this.#options.times ?? {});
      const kernelsHere = this.#kernelsOn(server.options);
      const { manifest, threads } = await kernel.setUp({ ...this.#options.setup, kernelsHere });
      this.#options.accept(manifest, server.name);
      slot.threads = threads;
      slot.state = "ready";
      slot.wasReady = true;
      this.#onReady();
      const queue = await Promise.race([this.#begun, aborted(signal)]);
      for (;;) {
        const handout = await queue?.next(signal);
        if (queue === undefined || handout === undefined) return;
        try {
          await this.#answer(slot, kernel, queue, handout);
        } finally {
          queue.release(handout);
        }
      }
    } finally {
      kernel?.socket.close();
      if (started !== undefined) {
        const id = started;
        await server.shutdownKernel(id).then(
          () => this.#kernels.delete(id),
          () => {}, // `close` tries again.
        );
      }
    }
  }

  async #answer(slot: Slot, kernel: RemoteKernel, queue: WorkQueue, { pieces }: Handout): Promise<void> {
    const asked = new Map(pieces.map((piece) => [piece.key, piece]));
    const missing = new Set(asked.keys());
    await kernel.answer(piecesToSend(pieces), (message) => {
      if (this.#stop.signal.aborted) return;
      const isNew = (key: string) => queue.isLeft(key);
      const keys = this.#options.receive(message, asked, isNew, slot.server);
      for (const key of keys) {
        missing.delete(key);
        if (queue.finish(key)) slot.samples++;
      }
    });
    if (missing.size > 0) {
      throw new PersimmonError(
        "EVAL_KERNEL_FAILED",
        `kernel ${kernel.id} of ${slot.server.name} left out ${missing.size} of ${pieces.length} samples that it was asked for`,
      );
    }
  }
}

/** A token that is refused is a mistake, unless it was right before: then the server was started again. */
function isLoss(error: unknown, { wasReady }: Slot): error is PersimmonError {
  if (!(error instanceof PersimmonError)) return false;
  return error.code === "EVAL_SERVER_REFUSED" ? wasReady : losses.has(error.code);
}

/** Samples of one item together. */
function piecesToSend(pieces: readonly Piece[]): WorkerPiece[] {
  const byItem = new Map<string, WorkerPiece>();
  for (const { item, shot, sample } of pieces) {
    const known = byItem.get(item.id);
    if (known === undefined) byItem.set(item.id, { item, shot: shot ?? null, samples: [sample] });
    else known.samples.push(sample);
  }
  return [...byItem.values()];
}

function allLost(slots: readonly Slot[]): PersimmonError {
  const reasons = [...new Set(slots.map(({ reason }) => reason))].join("; ");
  return new PersimmonError(
    "EVAL_KERNELS_LOST",
    `no kernel is left to go on: ${reasons}. Finished items are kept; start the run again with the same folder to go on`,
  );
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}
