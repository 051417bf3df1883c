import { syncBuiltinESMExports } from "node:module";
import threads, { Worker, type WorkerOptions } from "node:worker_threads";
import type { StreamName } from "../server/stream_batch.js";
import { Task, type Tasks } from "./tasks.js";

/**
 * Worker threads that cells start: what they print belongs to the cell that started them, and their events are handled
 * as that cell's code, also when it has long ended.
 *
 * @param write prints text as the task that runs
 */
export function captureWorkers(tasks: Tasks, write: (name: StreamName, text: string) => void): void {
  class CellWorker extends Worker {
    constructor(file: string | URL, options: WorkerOptions = {}) {
      // Node itself would pipe both into process.stdout and process.stderr, as nobody's output.
      super(file, { ...options, stdout: true, stderr: true });
      const task = new Task(tasks.parent);
      const emit = this.emit;
      this.emit = (...parameters: Parameters<Worker["emit"]>) =>
        tasks.callback(task, () => emit.apply(this, parameters));
      for (const name of ["stdout", "stderr"] as const) {
        if (options[name]) continue; // its owner reads it
        this[name].setEncoding("utf8");
        this[name].on("data", (text: string) => tasks.as(task, () => write(name, text)));
      }
    }
  }
  Object.defineProperty(CellWorker, "name", { value: "Worker" });
  Object.assign(threads, { Worker: CellWorker });
  syncBuiltinESMExports();
}
