import { mkdtempSync, openSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MessageChannel, Worker } from "node:worker_threads";
import { captureDescriptors } from "./capture.js";
import { snapshotFile } from "./language/snapshot.js";
import { startLanguageProcess } from "./language/start_process.js";
import { packageRoot } from "./package_root.js";
import { type ServerData, SHARED, type ToMain, type ToServer } from "./threads.js";

/*
 * The kernel: `node main.js CONNECTION_FILE`. The language process has the compiler, and takes longest, so it is started
 * first. The server thread has all sockets, so that the kernel answers while the compiler still loads. This one, the main
 * thread, runs user code and nothing else.
 */
const connectionFile = process.argv[2];
if (!connectionFile) {
  process.stderr.write("Usage: main.js CONNECTION_FILE (Jupyter starts the kernel with it)\n");
  process.exit(2);
}
const root = packageRoot();
const folder = mkdtempSync(join(tmpdir(), "persimmon-kernel-"));
const language = {
  socket: process.platform === "win32" ? `\\\\.\\pipe\\${folder}` : join(folder, "language"),
  folder: process.cwd(),
  packageRoot: root,
};
const languageProcess = startLanguageProcess(language, snapshotFile(root));

const log = openLog();
const nativeOutput = captureDescriptors(folder);
const shared = new Int32Array(new SharedArrayBuffer(SHARED.words * Int32Array.BYTES_PER_ELEMENT));
const prompts = new MessageChannel();
const serverData: ServerData = {
  connectionFile,
  shared,
  language,
  temporaryFolder: folder,
  promptPort: prompts.port1,
  ...(nativeOutput && { nativeOutput }),
};
const server = new Worker(new URL("./server/thread.js", import.meta.url), {
  workerData: serverData,
  transferList: [prompts.port1],
  stdout: true,
  stderr: true,
  execArgv: [],
});
server.stdout.on("data", toLog);
server.stderr.on("data", toLog);
// Without its server the kernel is of no use; Jupyter then starts a new one.
server.on("error", (error) => {
  toLog(`${error.stack ?? error}\n`);
  process.kill(process.pid, "SIGKILL");
});
const send = (message: ToServer) => server.postMessage(message);
languageProcess.on("exit", () => send({ type: "languageExited" }));

// With two cores, loading this while the sockets are being opened would delay the first reply by 10 to 40 ms.
const early: ToMain[] = [];
let receive = (message: ToMain): void => {
  early.push(message);
};
server.on("message", (message: ToMain) => receive(message));
await new Promise((opened) => server.once("message", opened));
const { Session } = await import("./runtime/session.js");
const session = new Session(root, shared, prompts.port2, send);
receive = (message) => session.receive(message);
for (const message of early) receive(message);

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
