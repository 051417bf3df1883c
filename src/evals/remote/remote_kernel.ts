import { PersimmonError } from "../../errors.js";
import { type JupyterServer, objectOf } from "./jupyter_server.js";
import { KernelSocket, type SocketTimes } from "./kernel_socket.js";
import { batchCell, mimeType, setupCell, type WorkerPiece, type WorkerSetup } from "./protocol.js";
import { isCount } from "./received_sample.js";

/** A kernel that answers for an evaluation. */
export class RemoteKernel {
  private constructor(
    readonly server: JupyterServer,
    readonly id: string,
    readonly socket: KernelSocket,
  ) {}

  /**
   * Starts a kernel and connects to it.
   * @param onStarted called with its id as soon as there is something that must be shut down
   */
  static async start(
    server: JupyterServer,
    onStarted: (id: string) => void,
    signal: AbortSignal,
    times: Partial<SocketTimes>,
  ): Promise<RemoteKernel> {
    const id = await server.startKernel();
    onStarted(id);
    const socket = await KernelSocket.open(server, id, signal, times);
    return new RemoteKernel(server, id, socket);
  }

  /**
   * Loads the model there.
   * @returns the manifest that a run there has, as it came, and the threads of its model
   * @throws PersimmonError EVAL_KERNEL_UNFIT (no library of ours, or an older one), and errors of the library there
   */
  async setUp(setup: WorkerSetup): Promise<{ manifest: unknown; threads: number | undefined }> {
    let manifest: unknown;
    let threads: number | undefined;
    await this.#run(setupCell(setup), "EVAL_KERNEL_UNFIT", (message) => {
      if (message.kind === "ready") {
        manifest = message.manifest;
        threads = isCount(message.threads) ? message.threads : undefined;
      } else throw this.server.malformed("the manifest of a run there", message);
    });
    if (manifest === undefined) throw this.server.malformed("the manifest of a run there", null);
    return { manifest, threads };
  }

  /** Has samples made. @param onSamples called with each message of finished ones, as it came */
  async answer(
    pieces: readonly WorkerPiece[],
    onSamples: (message: Record<string, unknown>) => void,
  ): Promise<void> {
    await this.#run(batchCell(pieces), "EVAL_KERNEL_FAILED", (message) => {
      if (message.kind !== "samples") throw this.server.malformed("finished samples", message);
      onSamples(message);
    });
  }

  async #run(
    code: string,
    failed: "EVAL_KERNEL_UNFIT" | "EVAL_KERNEL_FAILED",
    onMessage: (message: Record<string, unknown>) => void,
  ): Promise<void> {
    let failure: unknown;
    const reply = await this.socket.execute(code, (data) => {
      if (!(mimeType in data) || failure !== undefined) return;
      try {
        const message = objectOf(data[mimeType]);
        if (message === undefined) throw this.server.malformed("a message of an evaluation", data[mimeType]);
        this.#throwError(message);
        onMessage(message);
      } catch (error) {
        failure = error;
      }
    });
    if (failure !== undefined) throw failure;
    if (reply.status === "ok") return;
    const what = `${String(reply.ename ?? reply.status)}: ${String(reply.evalue ?? "")}`.slice(0, 1000);
    const doing = failed === "EVAL_KERNEL_UNFIT" ? "it was set up" : "it made samples";
    throw new PersimmonError(
      failed,
      `kernel ${this.id} of ${this.server.name} failed while ${doing}: ${what}`,
    );
  }

  /** An error of the library there keeps its code. */
  #throwError({ kind, code, message }: Record<string, unknown>): void {
    if (kind !== "error") return;
    if (typeof code !== "string" || typeof message !== "string") {
      throw this.server.malformed("an error with a code", { kind, code, message });
    }
    // Someone pressed stop there, which says nothing about the run.
    const ours = code === "INTERRUPTED" ? "EVAL_KERNEL_FAILED" : code;
    throw new PersimmonError(ours, `${this.server.name}: ${message}`);
  }
}
