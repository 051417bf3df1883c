import assert from "node:assert/strict";

const LINE = "0123456789 abcdefghijklmnopqrstuvwxyz é🍣";

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "200 cells sent at once run in order": async (start) => {
    const kernel = await start();
    await kernel.evaluate("const order: number[] = []");
    const cells = Array.from({ length: 200 }, (_, i) =>
      kernel.send(i % 2 === 0 ? `order.push(${i})` : `await 0; order.push(${i})`),
    );
    const executions = await Promise.all(cells.map(({ done }) => done));
    assert.deepEqual(
      executions.map(({ result }) => result),
      executions.map((_, i) => String(i + 1)),
    );
    const first = executions[0].reply.execution_count;
    assert.deepEqual(
      executions.map(({ reply }) => reply.execution_count),
      executions.map((_, i) => first + i),
    );
    assert.equal(await kernel.evaluate("order.every((n, i) => n === i)"), "true");
  },

  "10 MB of lines arrive whole": async (start) => {
    const kernel = await start();
    const bytes = Buffer.byteLength(`${LINE}\n`) + "123456 ".length;
    const count = Math.ceil(10e6 / bytes);
    const execution = await kernel.run(
      `for (let i = 0; i < ${count}; i++) console.log(String(i).padStart(6, "0") + " " + ${JSON.stringify(LINE)})`,
    );
    const lines = execution.text().split("\n");
    assert.equal(lines.length, count + 1);
    const wrong = lines.slice(0, -1).findIndex((line, i) => line !== `${String(i).padStart(6, "0")} ${LINE}`);
    assert.equal(wrong, -1, `line ${wrong} is ${lines[wrong]}`);
  },

  "10 MB written at once, and 10 MB displayed, arrive whole": async (start) => {
    const kernel = await start();
    const execution = await kernel.run(
      'process.stdout.write("ab".repeat(5e6)); display.text("cd".repeat(5e6))',
    );
    const displayed = execution.contents("display_data")[0]?.data["text/plain"] ?? "";
    // Not assert.equal, which would print all of it.
    assert.ok(execution.text() === "ab".repeat(5e6), `${execution.text().length} characters were written`);
    assert.ok(displayed === "cd".repeat(5e6), `${displayed.length} characters were displayed`);
  },
};
