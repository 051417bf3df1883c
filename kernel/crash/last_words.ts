import { readFileSync } from "node:fs";
import { XPublisher } from "zeromq";
import { addressOf, readConnectionFile } from "../protocol/connection.js";
import { Wire } from "../protocol/wire.js";
import type { LastWordsData } from "./watch.js";

/*
 * Speaks for a kernel that has crashed: takes its iopub socket for a moment and publishes, as output of the cell that was
 * running, what has happened. Jupyter starts a new kernel on the same ports within 3 s, which waits until they are free
 * (see server/channels.ts).
 */
const BIND_FOR_MS = 300;
// Clients come back after 0.1 s; after the first, others get this long.
const WAIT_FOR_CLIENTS_MS = 800;
const OTHERS_MS = 100;

const { connectionFile, header, stderr: unread } = JSON.parse(readFileSync(0, "utf8")) as LastWordsData;
const stderr = unread.trim();
const message =
  "The kernel has crashed while it ran this cell: native code (an addon, a library that it calls) made an invalid memory " +
  "access or aborted, or the system ended the process, which it does when memory runs out. Variables are lost.";
process.stderr.write(`persimmon kernel: ${message}\n${stderr}\n`);

const connection = readConnectionFile(connectionFile);
const wire = new Wire(connection.key, connection.signature_scheme);
const socket = new XPublisher({ linger: 200 });
if (await bind()) {
  await clients();
  const printed = stderr ? ["", "It printed last:", ...stderr.split("\n")] : [];
  const traceback = [`NativeCrash: ${message}`, ...printed];
  await publish("error", { ename: "NativeCrash", evalue: message, traceback });
  await publish("status", { execution_state: "idle" });
}
socket.close();

/** The system may need a moment to free the port; and a new kernel may have been faster, then there is nothing to say. */
async function bind(): Promise<boolean> {
  const address = addressOf(connection, connection.iopub_port);
  for (const deadline = Date.now() + BIND_FOR_MS; Date.now() < deadline; ) {
    try {
      await socket.bind(address);
      return true;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  return false;
}

/** Waits until a client has subscribed, and a little longer for others. */
async function clients(): Promise<void> {
  const timeout = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await Promise.race([socket.receive(), timeout(WAIT_FOR_CLIENTS_MS)]);
  await timeout(OTHERS_MS);
}

async function publish(type: string, content: Record<string, unknown>): Promise<void> {
  const identities = [Buffer.from(`kernel.${wire.session}.${type}`)];
  await socket.send(wire.encode(wire.create(type, content, { identities, parent: header })));
}
