import { checkOptionNames, PersimmonError } from "../../errors.js";
import { interruptSignal, throwIfInterrupted } from "../../host.js";
import type { EvalResult } from "../run/eval_result.js";
import { finish, type KeptRun, openStore, sandboxFor, work } from "../run/keep_run.js";
import { fingerprintOf, type Manifest, manifestText } from "../run/manifest.js";
import {
  type CheckedQuestions,
  checkQuestions,
  type EvalProgress,
  type RunEvalOptions,
  runOptionNames,
} from "../run/options.js";
import { originOf, type PreparedQuestions, prepareQuestions } from "../run/prepare.js";
import type { Keep } from "../run/shard_run.js";
import type { EvalItem, EvalTask } from "../task.js";
import { evalTasks } from "../tasks/index.js";
import { expectedManifest, expectSame } from "./expected_manifest.js";
import { JupyterServer } from "./jupyter_server.js";
import { KernelPool, type PoolOptions, type ServerProgress } from "./kernel_pool.js";
import { protocolVersion, type RemoteLoadOptions } from "./protocol.js";
import { piecesOf, RemoteSamples } from "./remote_samples.js";
import { checkServers, type EvalServer } from "./server_options.js";

/** What `runEvalOnServers` takes: the options of `runEval`, but for the model, and servers. */
export interface RunEvalOnServersOptions<Item extends EvalItem = EvalItem>
  extends Omit<RunEvalOptions<Item>, "model" | "task" | "onProgress"> {
  /** Where kernels are started. */
  servers: readonly EvalServer[];
  /** The model as `loadModel` takes it: a folder on the servers' machines, or a name on the hub. Default: the demo model. */
  model?: string;
  /**
   * How kernels load it. Without `threads`, the kernels of all servers on one host share its cores equally; behind a gateway,
   * whose kernels may have machines of their own, name their cores as `threads`.
   */
  load?: RemoteLoadOptions;
  /** A built-in task: those of a cell have functions, which cannot be sent. */
  task: string | EvalTask<Item>;
  /** Called as items are finished. */
  onProgress?: (progress: RemoteEvalProgress) => void;
}

/** How far a run on servers is. */
export interface RemoteEvalProgress extends EvalProgress {
  servers: ServerProgress[];
}

/**
 * Runs an evaluation on kernels of Jupyter servers: local ones, remote ones with a token, Enterprise Gateways. Each kernel loads the
 * model and makes the samples of what it is given, a small part at a time; they come back into one run here, which is
 * scored here (generated programs run in this machine's sandbox). The samples are those of `runEval` on one of the machines,
 * byte for byte, in the order in which they were finished, and a run may be gone on with either way.
 *
 * Questions are read here and sent: the servers need neither the data nor its folder. A kernel that is lost (killed, its server
 * gone, the connection cut) is started again up to three times; the others go on with its work meanwhile. Kernels are shut
 * down at the end, also after an error or an interrupt; only when this process is killed they stay, until their server ends
 * idle ones.
 *
 * ```ts
 * await runEvalOnServers({
 *   servers: [{ url: "http://gpu-1:8888/", token: "…", kernels: 2 }, { url: "http://gpu-2:8888/", token: "…" }],
 *   model: "adept/persimmon-8b-base",
 *   task: "arc-easy",
 *   folder: "runs/arc-easy",
 * });
 * ```
 * @throws PersimmonError what `runEval` does; EVAL_SERVER_INVALID, EVAL_TASK_NOT_SENDABLE; EVAL_SERVER_UNREACHABLE,
 *   EVAL_SERVER_REFUSED (the token), EVAL_KERNELSPEC_MISSING before any kernel is started; EVAL_SERVER_MISMATCH when a kernel's
 *   library, model or processor would make another run, EVAL_KERNEL_UNFIT when it has no such library; EVAL_SERVER_REPLY_INVALID; EVAL_KERNELS_LOST when none is left. Errors
 *   of loading the model there have the codes of `loadModel`
 */
export async function runEvalOnServers<Item extends EvalItem = EvalItem>(
  options: RunEvalOnServersOptions<Item>,
): Promise<EvalResult> {
  return runTuned(options, {});
}

/** Times of a pool. */
export type PoolTuning = Pick<PoolOptions, "pauses" | "patience" | "times">;

/** The same with other times, for tests. */
export async function runTuned<Item extends EvalItem>(
  options: RunEvalOnServersOptions<Item>,
  tuning: PoolTuning,
): Promise<EvalResult> {
  const { servers, setup, checked, report } = check(options);
  const signal = interruptSignal(checked.signal);
  const questions = await prepareQuestions(checked, signal);
  const sandbox = await sandboxFor(checked);
  const opened = await Promise.all(servers.map((server) => JupyterServer.open(server, signal)));
  const reference = new Reference(questions.draft);
  let samples: RemoteSamples | undefined;
  const pool = new KernelPool(opened, {
    ...tuning,
    setup: { ...setup, draft: questions.draft },
    batchSize: checked.batchSize,
    accept: (manifest, server) => reference.accept(manifest, server),
    receive: (...message) => samples?.receive(...message) ?? [],
  });
  report.servers = () => pool.progress();
  try {
    await pool.ready(signal);
    throwIfInterrupted(signal);
    const run = runOf(checked, questions, reference.manifest, setup.model);
    using store = openStore(checked, run);
    const make = (items: readonly EvalItem[], done: ReadonlySet<string>, keep: Keep) => {
      const remote = new RemoteSamples(checked, run, keep);
      samples = remote;
      const pieces = piecesOf(checked, items, questions.pool?.items, done);
      pool.make(pieces, signal).then(
        () => remote.inbox.end(),
        (error) => remote.inbox.end({ error }),
      );
      return remote.inbox;
    };
    await work(checked, run, store, sandbox, signal, make, () => note(pool.progress()));
    return finish(run, store, checked.folder);
  } finally {
    await pool.close();
  }
}

/** The manifest of the run: that of the first kernel, which all others must have too. */
class Reference {
  readonly #draft: PreparedQuestions["draft"];
  #first: { manifest: Manifest; server: string } | undefined;

  constructor(draft: PreparedQuestions["draft"]) {
    this.#draft = draft;
  }

  get manifest(): Manifest {
    return this.#first!.manifest;
  }

  accept(received: unknown, server: string): void {
    const manifest = expectedManifest(received, this.#draft, server);
    this.#first ??= { manifest, server };
    expectSame(this.#first.manifest, manifest, `on ${this.#first.server}`, server);
  }
}

/** All of them: one that is new in `loadModel` has to be named here too. */
const loadOptionNames: Record<keyof RemoteLoadOptions, true> = {
  device: true,
  dtype: true,
  kvDtype: true,
  threads: true,
  matmulPrecision: true,
  tensorParallel: true,
  maxLength: true,
  skipZeros: true,
  predictZeros: true,
  rope: true,
  memoryCheck: true,
};

function check<Item extends EvalItem>(options: RunEvalOnServersOptions<Item>) {
  if (typeof options !== "object" || options === null) {
    throw invalid(
      `expected an object such as { servers: [{ url: "…" }], task: "arc-easy" }, got ${String(options)}`,
    );
  }
  checkOptionNames("runEvalOnServers", options, [...runOptionNames, "servers", "load"]);
  const servers = checkServers(options.servers);
  const { model, load = {}, onProgress, servers: _, ...rest } = options;
  if (model !== undefined && (typeof model !== "string" || model === "")) {
    throw invalid(
      "model must be a folder on the servers' machines or a name on the hub: a model of this process, with its changes, cannot be sent (runEval evaluates it here)",
    );
  }
  if (typeof load !== "object" || load === null)
    throw invalid('load must be an object such as { dtype: "int8" }');
  checkOptionNames("load", load, Object.keys(loadOptionNames));
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw invalid("onProgress must be a function");
  }
  const report: { servers: () => ServerProgress[] } = { servers: () => [] };
  const checked = checkQuestions({
    ...rest,
    ...(onProgress && {
      onProgress: (progress: EvalProgress) => onProgress({ ...progress, servers: report.servers() }),
    }),
  });
  if (!evalTasks.includes(checked.task)) {
    throw new PersimmonError(
      "EVAL_TASK_NOT_SENDABLE",
      `the task "${checked.task.name}" has functions of this process, which cannot be sent to a server: run it here with runEval, or use a built-in task (${evalTasks.map(({ name }) => name).join(", ")})`,
    );
  }
  const setup = { protocol: protocolVersion, model: model ?? null, load };
  return { servers, setup, checked, report };
}

function invalid(message: string): PersimmonError {
  return new PersimmonError("EVAL_OPTIONS_INVALID", `runEvalOnServers: ${message}`);
}

function runOf(
  options: CheckedQuestions,
  { data }: PreparedQuestions,
  manifest: Manifest,
  model: string | null,
): KeptRun {
  return {
    task: options.task,
    manifest,
    fingerprint: fingerprintOf(manifestText(manifest)),
    origin: originOf(model ?? "demo", data, options),
    items: data.items,
  };
}

/** Such as `127.0.0.1:8888 2 kernels of 1 thread, 127.0.0.1:8889 1 of 2 kernels of 1 thread`. */
function note(servers: readonly ServerProgress[]): string {
  return servers
    .map(({ url, kernels, ready, threads }) => {
      const count = ready === kernels ? `${kernels}` : `${ready} of ${kernels}`;
      const each = threads === undefined ? "" : ` of ${threads} ${threads === 1 ? "thread" : "threads"}`;
      return `${new URL(url).host} ${count} ${kernels === 1 ? "kernel" : "kernels"}${each}`;
    })
    .join(", ");
}
