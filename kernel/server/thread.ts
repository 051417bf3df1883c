import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parentPort, workerData } from "node:worker_threads";
import { userDataDirectory } from "../data_directory.js";
import { RemoteLanguage } from "../language/remote.js";
import { makeSnapshot, snapshotFile } from "../language/snapshot.js";
import { startLanguageProcess } from "../language/start_process.js";
import { packageRoot } from "../package_root.js";
import { readConnectionFile } from "../protocol/connection.js";
import type { Message, RequestChannel } from "../protocol/message.js";
import { Wire } from "../protocol/wire.js";
import { type ServerData, SHARED } from "../threads.js";
import { Channels } from "./channels.js";
import { Execution } from "./execution.js";
import { History } from "./history.js";
import { kernelInfo } from "./info.js";
import { Interrupter } from "./interrupter.js";
import { Publisher } from "./iopub.js";
import { endDescendants, watchParent } from "./lifetime.js";
import { NativeOutput } from "./native_output.js";
import { handleRequest, type Services } from "./requests.js";
import { MainThread } from "./runner.js";
import { Stdin } from "./stdin.js";

/*
 * Entry of the server thread: all sockets and the whole protocol. User code runs on the main thread and the compiler on
 * a third, so heartbeat, control, completion and output go on whatever a cell does.
 */
const MAKE_SNAPSHOT_AFTER_MS = 10_000;
const data = workerData as ServerData;
const { connectionFile, shared, promptPort, nativeOutput } = data;
const language = new RemoteLanguage(data.language.socket, (withSnapshot) => {
  const snapshot = withSnapshot ? snapshotFile(data.language.packageRoot) : undefined;
  startLanguageProcess(data.language, snapshot);
});
const connection = readConnectionFile(connectionFile);
const wire = new Wire(connection.key, connection.signature_scheme);
const channels = new Channels(wire);
const publisher = new Publisher(channels, wire);
const stdin = new Stdin(channels, wire);
const comms = new Map<string, string>();
const requests = new Map<string, Message>();
/** The request that native output belongs to: the one that runs, or ran last. */
let lastExecuted = "";
/** Whether any request has come. */
let asked = false;

const main: MainThread = new MainThread(
  parentPort!,
  (value) => {
    promptPort.postMessage(value);
    Atomics.store(shared, SHARED.promptAnswered, 1);
    Atomics.notify(shared, SHARED.promptAnswered);
  },
  {
    stream: ({ name, text, parent }) => publisher.write(name, text, parent),
    publish: ({ messageType, content, metadata, buffers, parent }) => {
      if (messageType === "comm_open") comms.set(String(content.comm_id), String(content.target_name));
      if (messageType === "comm_close") comms.delete(String(content.comm_id));
      publisher.publish(messageType, content, parent, { metadata, buffers });
    },
    input: ({ prompt, password, parent, synchronous }) => {
      const request = requests.get(parent);
      if (!request) return;
      publisher.flush();
      stdin.ask(request, prompt, password, (value) => main.inputReply(value, synchronous));
    },
    cancelInput: () => stdin.cancel(),
    settle: () => {
      native?.drain();
      Atomics.add(shared, SHARED.settled, 1);
      Atomics.notify(shared, SHARED.settled);
    },
    interruptTaken: (number) => interrupter.taken(number),
    languageExited: () => language.exited(),
  },
);
const interrupter: Interrupter = new Interrupter(shared, (message) => main.post(message));
const native =
  nativeOutput &&
  new NativeOutput(nativeOutput, (name, text) => {
    publisher.write(name, text, lastExecuted);
    if (name === "stderr") language.printed(text);
  });
publisher.beforeFlush = () => native?.drain();

const history = new History(historyFile());
const runner = {
  async run(request: Parameters<MainThread["run"]>[0]) {
    lastExecuted = request.id;
    await interrupter.settled();
    language.running(requests.get(request.id)?.header ?? null);
    try {
      return await main.run(request);
    } finally {
      language.running(null);
      requests.delete(request.id);
    }
  },
  comm: main.comm.bind(main),
  inputReply: main.inputReply.bind(main),
};
const execution = new Execution(language, runner, publisher, history);

const services: Services = {
  wire,
  channels,
  publisher,
  language,
  runner,
  execution,
  history,
  comms,
  info: kernelInfo(packageRoot()),
  connection,
  interrupt() {
    execution.interrupt();
    const interrupted = execution.current;
    interrupter.interrupt(interrupted === undefined ? undefined : () => execution.current !== interrupted);
  },
  async shutdown() {
    endDescendants();
    // The main thread may compute for ever: then the process is killed.
    setTimeout(() => process.kill(process.pid, "SIGKILL"), 500);
    native?.close();
    language.close();
    rmSync(data.temporaryFolder, { recursive: true, force: true });
    await channels.close();
    main.post({ type: "exit" });
  },
};

watchParent(() => {
  endDescendants();
  process.kill(process.pid, "SIGKILL");
});

function receive(channel: RequestChannel, message: Message): void {
  if (message.header.msg_type === "execute_request") requests.set(message.header.msg_id, message);
  asked = true;
  void handleRequest(services, channel, message);
}

// "starting" goes to the first that listens: published before, it would reach nobody.
channels.onFirstSubscriber = () => {
  if (!asked) publisher.status("starting", "");
};
await channels.open(connection, {
  shell: (message) => receive("shell", message),
  control: (message) => receive("control", message),
  stdin: (message) => stdin.receive(message),
});
main.post({ type: "opened" });
language.watch({
  connectionFile: resolve(connectionFile),
  kernelPid: process.pid,
  stderrReader: nativeOutput?.stderr,
  script: fileURLToPath(new URL("../crash/last_words.js", import.meta.url)),
});
if (!snapshotFile(data.language.packageRoot)) {
  // For the next start; later, because this one has enough to do now.
  setTimeout(() => void makeSnapshot(data.language.packageRoot, true), MAKE_SNAPSHOT_AFTER_MS).unref();
}

/** Where inputs are remembered; PERSIMMON_KERNEL_HISTORY names another file, or none when it is empty. */
function historyFile(): string | undefined {
  const chosen = process.env.PERSIMMON_KERNEL_HISTORY;
  if (chosen !== undefined) return chosen || undefined;
  return join(userDataDirectory(), "persimmon", "history.jsonl");
}
