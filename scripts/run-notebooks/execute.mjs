import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { joinLines } from "./format.mjs";
import { CellOutputs, DisplayIds } from "./outputs.mjs";

const { KernelManager, ServerConnection, SessionManager } = createRequire(import.meta.url)(
  "@jupyterlab/services",
);

const INTERRUPT_SECONDS = 10;

/** A cell that failed: an error in it, its time limit, or the end of the kernel. */
export class CellError extends Error {
  /**
   * @param {number} cell its number among all cells, from 1
   * @param {string} message
   */
  constructor(cell, message) {
    super(message);
    this.name = "CellError";
    this.cell = cell;
  }
}

/**
 * @param {import("./format.mjs").Cell} cell
 * @returns {boolean} whether it carries the tag with which nbclient and others mark an error that is meant
 */
function mayRaise(cell) {
  return (cell.metadata?.tags ?? []).includes("raises-exception");
}

/**
 * @param {import("./format.mjs").Cell} cell
 * @param {number} number
 * @param {{ ename: string, evalue: string, traceback?: string[] } | undefined} reply content of a reply that is an error
 */
function failOnError(cell, number, reply) {
  // An error may be shown without the reply saying so.
  const error = cell.outputs?.find((output) => output.output_type === "error") ?? reply;
  if (error !== undefined && !mayRaise(cell)) {
    const traceback = (error.traceback ?? []).join("\n");
    throw new CellError(number, traceback === "" ? `${error.ename}: ${error.evalue}` : traceback);
  }
}

/**
 * Runs notebooks, each in a session of its own, on a Jupyter server.
 */
export class NotebookRunner {
  /** @param {{ baseUrl: string, token: string }} server */
  constructor({ baseUrl, token }) {
    const serverSettings = ServerConnection.makeSettings({ baseUrl, token, appendToken: true });
    this.kernels = new KernelManager({ serverSettings });
    this.sessions = new SessionManager({ kernelManager: this.kernels, serverSettings });
  }

  /**
   * Runs every code cell and puts the outputs into the notebook, also those before a failure.
   * @param {import("./format.mjs").Notebook} notebook changed in place
   * @param {{ path: string, kernelName: string, timeoutSeconds: number, onCell?: (number: number, total: number, milliseconds: number) => void }} options
   *   path: relative to the server's root folder, with slashes
   * @throws {CellError} at the first cell that fails
   */
  async run(notebook, { path, kernelName, timeoutSeconds, onCell = () => {} }) {
    await this.sessions.ready;
    const session = await this.sessions.startNew({
      path,
      name: path.split("/").at(-1),
      type: "notebook",
      kernel: { name: kernelName },
    });
    const { kernel } = session;
    try {
      const info = await kernel.info;
      notebook.metadata = {
        ...notebook.metadata,
        kernelspec: { ...notebook.metadata.kernelspec, name: kernelName },
        language_info: info.language_info,
      };
      const displayIds = new DisplayIds();
      for (const [index, cell] of notebook.cells.entries()) {
        if (cell.cell_type === "code") {
          const started = Date.now();
          await runCell(kernel, cell, { number: index + 1, displayIds, timeoutSeconds });
          onCell(index + 1, notebook.cells.length, Date.now() - started);
        }
      }
      // Once more: a promise that nobody awaited may have failed after its cell had ended.
      for (const [index, cell] of notebook.cells.entries()) {
        failOnError(cell, index + 1, undefined);
      }
    } finally {
      await session.shutdown().catch(() => {});
      session.dispose();
    }
  }

  dispose() {
    this.sessions.dispose();
    this.kernels.dispose();
  }
}

/**
 * @param {any} kernel an IKernelConnection
 * @param {import("./format.mjs").Cell} cell
 * @param {{ number: number, displayIds: DisplayIds, timeoutSeconds: number }} options
 */
async function runCell(kernel, cell, { number, displayIds, timeoutSeconds }) {
  const code = joinLines(cell.source);
  const collector = new CellOutputs(displayIds);
  cell.outputs = collector.outputs;
  cell.execution_count = null;
  if (code.trim() === "") {
    return;
  }
  const request = { code, allow_stdin: false, stop_on_error: true, store_history: true };
  // The future stays alive after the reply: an update of this cell's display comes to it, whichever cell sends it.
  const future = kernel.requestExecute(request, false);
  future.onIOPub = (/** @type {any} */ message) => collector.add(message);

  const limit = new AbortController();
  /** @type {(value: string) => void} */
  let died = () => {};
  const onStatus = (/** @type {any} */ _, /** @type {string} */ status) => {
    if (["dead", "restarting", "autorestarting", "terminating"].includes(status)) {
      died(status);
    }
  };
  kernel.statusChanged.connect(onStatus);
  try {
    const outcome = await Promise.race([
      future.done.then((/** @type {any} */ reply) => ({ reply })),
      new Promise((resolve) => {
        died = (status) => resolve({ failure: `the kernel ended (${status}) while the cell ran` });
      }),
      sleep(timeoutSeconds * 1000, undefined, { signal: limit.signal }).then(() => ({ failure: "time" })),
    ]);
    if (outcome.failure === "time") {
      await kernel.interrupt().catch(() => {});
      await Promise.race([future.done.catch(() => {}), sleep(INTERRUPT_SECONDS * 1000)]);
      throw new CellError(number, `the cell took longer than ${timeoutSeconds} s (see --timeout)`);
    }
    if (outcome.failure !== undefined) {
      throw new CellError(number, outcome.failure);
    }
    const { content } = outcome.reply;
    cell.execution_count = content.execution_count ?? null;
    failOnError(cell, number, content.status === "ok" ? undefined : content);
  } finally {
    limit.abort();
    kernel.statusChanged.disconnect(onStatus);
  }
}
