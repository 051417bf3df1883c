import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** What a cell led to: its reply and all that it showed. */
export class Execution {
  /**
   * @param {any} reply content of the execute_reply
   * @param {any[]} messages from iopub, in order
   */
  constructor(reply, messages) {
    this.reply = reply;
    this.messages = messages;
  }

  /** @param {string} type of message */
  contents(type) {
    return this.messages.filter(({ header }) => header.msg_type === type).map(({ content }) => content);
  }

  /** @returns {string[]} the kinds of output, without the messages that frame every cell */
  get types() {
    return this.messages
      .map(({ header }) => header.msg_type)
      .filter((type) => type !== "status" && type !== "execute_input");
  }

  /** @param {string} name stdout or stderr */
  text(name = "stdout") {
    const streams = this.contents("stream").filter((content) => content.name === name);
    return streams.map(({ text }) => text).join("");
  }

  /** @returns {string | undefined} the result as text */
  get result() {
    return this.contents("execute_result")[0]?.data["text/plain"];
  }
}

/**
 * Waits until something holds; generous, because the machine may be busy.
 * @param {() => boolean} condition
 * @param {string} what for the message when it never does
 */
export async function until(condition, what, seconds = 60) {
  const deadline = Date.now() + seconds * 1000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `not within ${seconds} s: ${what}`);
    await sleep(20);
  }
}

/** A kernel behind a Jupyter server, and JupyterLab's connection to it. */
export class TestKernel {
  /** @type {string[]} every status that the client was told, in order */
  statuses = [];

  /** @param {any} connection an IKernelConnection */
  constructor(connection) {
    this.connection = connection;
    connection.statusChanged.connect((/** @type {any} */ _, /** @type {string} */ status) => {
      this.statuses.push(status);
    });
  }

  /**
   * @param {any} manager a KernelManager
   * @param {string} name
   */
  static async start(manager, name) {
    const kernel = new TestKernel(await manager.startNew({ name }));
    await kernel.connection.info;
    return kernel;
  }

  /** Another client of the same kernel. */
  clone() {
    return new TestKernel(this.connection.clone());
  }

  /**
   * Sends a cell; `shown` resolves with the cell's output when it holds a message that fits, `done` with everything.
   * @param {string} code
   * @param {{ onStdin?: (message: any) => void, content?: object }} [options]
   */
  send(code, { onStdin, content } = {}) {
    const request = { code, allow_stdin: onStdin !== undefined, stop_on_error: true, ...content };
    const future = this.connection.requestExecute(request);
    /** @type {any[]} */
    const messages = [];
    future.onIOPub = (/** @type {any} */ message) => messages.push(message);
    if (onStdin !== undefined) {
      future.onStdin = onStdin;
    }
    const done = future.done.then((/** @type {any} */ reply) => new Execution(reply.content, messages));
    // A test that does not wait for the end, because it ends the kernel, does not hear of it either.
    done.catch(() => {});
    return { future, messages, /** @type {Promise<Execution>} */ done };
  }

  /**
   * @param {string} code
   * @param {{ onStdin?: (message: any) => void, content?: object }} [options]
   * @returns {Promise<Execution>}
   */
  run(code, options) {
    return this.send(code, options).done;
  }

  /**
   * Runs a cell that must succeed.
   * @param {string} code
   * @returns {Promise<string | undefined>} its result as text
   */
  async evaluate(code) {
    const { reply, result } = await this.run(code);
    assert.equal(reply.status, "ok", (reply.traceback ?? []).join("\n"));
    return result;
  }

  /** @returns {Promise<number>} of the process that runs the cells */
  async pid() {
    return Number(await this.evaluate("process.pid"));
  }

  async stop() {
    if (!this.connection.isDisposed) {
      await this.connection.shutdown().catch(() => {});
      this.connection.dispose();
    }
  }
}
