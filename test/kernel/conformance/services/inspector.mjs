import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Where Node's inspector listens in a process that gets SIGUSR1. */
const ADDRESS = "http://127.0.0.1:9229/json/list";

/** @returns {Promise<string | undefined>} where to connect to, when an inspector listens */
async function inspectorUrl() {
  try {
    const [target] = /** @type {any} */ (await (await fetch(ADDRESS)).json());
    return target.webSocketDebuggerUrl;
  } catch {
    return undefined;
  }
}

/**
 * Has a Node process collect its garbage, from outside and whatever it does. Its inspector stays open until it ends.
 * @param {number} pid
 * @param {new (url: string) => any} WebSocket
 */
export async function collectGarbage(pid, WebSocket) {
  let url = await inspectorUrl();
  if (url === undefined) {
    process.kill(pid, "SIGUSR1");
    for (let i = 0; i < 200 && url === undefined; i++) {
      await sleep(50);
      url = await inspectorUrl();
    }
  }
  assert.ok(url, `process ${pid} does not open its inspector`);
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  let id = 0;
  const call = (/** @type {string} */ method, params = {}) => {
    id++;
    socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve) => {
      socket.onmessage = (/** @type {any} */ event) => {
        const message = JSON.parse(event.data);
        if (message.id === id) {
          resolve(message.result);
        }
      };
    });
  };
  const inspected = (await call("Runtime.evaluate", { expression: "process.pid" })).result.value;
  assert.equal(inspected, pid, `the inspector's port is in use by process ${inspected}`);
  // Twice: what the first run finalizes, the second frees.
  await call("HeapProfiler.collectGarbage");
  await call("HeapProfiler.collectGarbage");
  socket.close();
}
