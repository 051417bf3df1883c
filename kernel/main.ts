import { openSync, writeSync } from "node:fs";
import { MessageChannel, Worker } from "node:worker_threads";
import { captureDescriptors } from "./capture.js";
import { packageRoot } from "./package_root.js";
import { type ServerData, SHARED, type ToMain } from "./threads.js";

/*
 * The kernel: `node main.js CONNECTION_FILE`. Three threads in one process. The server thread has all sockets and is
 * started first, so that the kernel answers while the compiler still loads; the language thread has the compiler; this
 * one, the main thread, runs user code and nothing else.
 */
const connectionFile = process.argv[2];
if (!connectionFile) {
  process.stderr.write("Usage: main.js CONNECTION_FILE (Jupyter starts the kernel with it)\n");
  process.exit(2);
}
const log = openLog();
const nativeOutput = captureDescriptors();
const shared = new Int32Array(new SharedArrayBuffer(SHARED.words * Int32Array.BYTES_PER_ELEMENT));
const language = new MessageChannel();
const prompts = new MessageChannel();

const serverData: ServerData = {
  connectionFile,
  shared,
  languagePort: language.port1,
  promptPort: prompts.port1,
  ...(nativeOutput && { nativeOutput }),
};
const server = start("./server/thread.js", serverData, [language.port1, prompts.port1]);
const root = packageRoot();
start("./language/thread.js", { folder: process.cwd(), packageRoot: root, port: language.port2 }, [
  language.port2,
]);

const { Session } = await import("./runtime/session.js");
const session = new Session(root, shared, prompts.port2, (message) => server.postMessage(message));
server.on("message", (message: ToMain) => session.receive(message));

function start(
  file: string,
  workerData: unknown,
  transferList: import("node:worker_threads").MessagePort[],
): Worker {
  const worker = new Worker(new URL(file, import.meta.url), {
    workerData,
    transferList,
    stdout: true,
    stderr: true,
    execArgv: [],
  });
  worker.stdout.on("data", toLog);
  worker.stderr.on("data", toLog);
  // Without its server or its compiler the kernel is of no use; Jupyter then starts a new one.
  worker.on("error", (error) => {
    toLog(`${error.stack ?? error}\n`);
    process.kill(process.pid, "SIGKILL");
  });
  return worker;
}

/** Where the kernel's own messages go: what was descriptor 2 when it started, which Jupyter shows in its log. */
function openLog(): number | undefined {
  try {
    return openSync(process.platform === "linux" ? "/proc/self/fd/2" : "/dev/fd/2", "a");
  } catch {
    return undefined;
  }
}

function toLog(text: string | Buffer): void {
  if (log === undefined) return;
  try {
    writeSync(log, text as string);
  } catch {
    // nobody reads it any more
  }
}
