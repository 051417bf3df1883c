import assert from "node:assert/strict";
import { until } from "./kernel.mjs";

const ECHO = `
comms.registerTarget("echo", (comm, open) => {
  comm.send({ opened: open.content.data });
  comm.onMsg((message) => comm.send({ back: message.content.data }, { buffers: message.buffers }));
  comm.onClose((message) => console.log("closed " + JSON.stringify(message.content.data)));
});`;

/**
 * @param {any} buffer a view or a plain buffer
 * @returns {number[]}
 */
function bytes(buffer) {
  return [
    ...(ArrayBuffer.isView(buffer)
      ? new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
      : new Uint8Array(buffer)),
  ];
}

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "the page opens a comm, sends messages with buffers, gets them back, and closes it": async (start) => {
    const kernel = await start();
    await kernel.evaluate(ECHO);
    const comm = kernel.connection.createComm("echo");
    /** @type {any[]} */
    const received = [];
    comm.onMsg = (/** @type {any} */ message) => received.push(message);
    await comm.open({ first: 1 }).done;
    const buffer = Uint8Array.from([0, 1, 254, 255]);
    await comm.send({ second: 2 }, {}, [buffer, new Uint8Array(0)]).done;
    await until(() => received.length === 2, "two messages from the cell's side");
    assert.deepEqual(
      received.map(({ content }) => content.data),
      [{ opened: { first: 1 } }, { back: { second: 2 } }],
    );
    assert.deepEqual(received[1].buffers.map(bytes), [[...buffer], []]);
    const info = (await kernel.connection.requestCommInfo({ target_name: "echo" })).content;
    assert.deepEqual(info.comms, { [comm.commId]: { target_name: "echo" } });
    /** @type {any[]} */
    const shown = [];
    const future = comm.close({ last: 3 });
    future.onIOPub = (/** @type {any} */ message) => shown.push(message.content);
    await future.done;
    assert.ok(shown.some(({ text }) => text === 'closed {"last":3}\n'));
    assert.deepEqual((await kernel.connection.requestCommInfo({})).content.comms, {});
  },

  "a cell opens a comm to the page and hears what the page sends": async (start) => {
    const kernel = await start();
    /** @type {any[]} */
    const opened = [];
    kernel.connection.registerCommTarget("page", (/** @type {any} */ comm, /** @type {any} */ message) => {
      opened.push({ data: message.content.data, buffers: message.buffers.map(bytes) });
      comm.send({ from: "page" }, {}, [Uint8Array.from([7, 8])]);
    });
    await kernel.evaluate(`
      const heard: any[] = [];
      const channel = comms.open("page", { from: "cell" }, { buffers: [Uint8Array.from([5, 6])] });
      channel.onMsg((message) => heard.push([message.content.data, ...message.buffers.map((b) => [...b])]));`);
    await until(() => opened.length === 1, "the page's target is called");
    assert.deepEqual(opened, [{ data: { from: "cell" }, buffers: [[5, 6]] }]);
    let heard = "[]";
    for (let i = 0; i < 100 && heard === "[]"; i++) {
      heard = (await kernel.run("console.log(JSON.stringify(heard))")).text().trim();
    }
    assert.deepEqual(JSON.parse(heard), [[{ from: "page" }, [7, 8]]]);
  },
};
