import type { Header } from "../protocol/message.js";

/** What the kernel tells the process that survives it, so that this can speak for it after a crash. */
export interface CrashWatchData {
  connectionFile: string;
  kernelPid: number;
  /** The read end, in the kernel, of the pipe behind its descriptor 2, if there is one. */
  stderrReader?: number;
  /** The compiled script that speaks for the kernel. */
  script: string;
}

/** What `last_words.js` is started with, as JSON on its standard input. */
export interface LastWordsData {
  connectionFile: string;
  /** The request whose cell was running. */
  header: Header;
  /** What was written to descriptor 2 last. */
  stderr: string;
}

const MAX_STDERR_BYTES = 64 * 1024;
const MAX_STDERR_CHARACTERS = 4096;

/**
 * Watches, from the language process, for the kernel's sudden end. A crash in native code takes all threads with it, so
 * only another process can tell the reader of the notebook what has happened.
 */
export class CrashWatch {
  #data: CrashWatchData | undefined;
  #stderr: number | undefined;
  #running: Header | null = null;
  /** The end of what the kernel has read from its descriptor 2 during this cell, and may not have sent any more. */
  #printed = "";
  #isEnding = false;

  /** Begins to watch; opens the pipe now, because its other openings end with the kernel. */
  watch(data: CrashWatchData): void {
    this.#data = data;
    if (data.stderrReader === undefined || process.platform !== "linux") return;
    try {
      const { openSync, constants } = process.getBuiltinModule("node:fs");
      const path = `/proc/${data.kernelPid}/fd/${data.stderrReader}`;
      this.#stderr = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch {
      // Then the message goes without what native code has printed.
    }
  }

  /** The request that runs now, or null when none does. */
  running(header: Header | null): void {
    this.#running = header;
    this.#printed = "";
  }

  /** Native code has printed this on descriptor 2. */
  printed(text: string): void {
    this.#printed = (this.#printed + text).slice(-MAX_STDERR_CHARACTERS);
  }

  /** The kernel ends because it was asked to. */
  ending(): void {
    this.#isEnding = true;
  }

  /** The kernel is gone: if it was running a cell, starts the process that says so. */
  kernelGone(): void {
    if (!this.#data || this.#isEnding || !this.#running) return;
    const { connectionFile, script } = this.#data;
    const stderr = this.#printed + this.#unreadStderr();
    const lastWords: LastWordsData = { connectionFile, header: this.#running, stderr };
    const { spawn } = process.getBuiltinModule("node:child_process");
    const child = spawn(process.execPath, [script], {
      detached: true,
      stdio: ["pipe", "inherit", "inherit"],
    });
    child.on("error", () => {});
    child.stdin.end(JSON.stringify(lastWords));
  }

  #unreadStderr(): string {
    if (this.#stderr === undefined) return "";
    const bytes = Buffer.alloc(MAX_STDERR_BYTES);
    try {
      return bytes.toString("utf8", 0, process.getBuiltinModule("node:fs").readSync(this.#stderr, bytes));
    } catch {
      return ""; // empty
    }
  }
}
