import assert from "node:assert/strict";

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "a result, streams and displays come in the order in which the cell made them": async (start) => {
    const kernel = await start();
    const { reply, types, messages } = await kernel.run(
      'console.log("a"); display.html("<b>b</b>"); console.error("c"); [1, 2]',
    );
    assert.equal(reply.status, "ok");
    assert.deepEqual(types, ["stream", "display_data", "stream", "execute_result"]);
    const contents = messages.map(({ content }) => content);
    assert.equal(contents[0].execution_state, "busy");
    assert.equal(contents.at(-1).execution_state, "idle");
  },

  "variables and functions stay from cell to cell": async (start) => {
    const kernel = await start();
    await kernel.evaluate("let total = 1; function add(n: number) { total += n; return total; }");
    assert.equal(await kernel.evaluate("add(41)"), "42");
    assert.equal(await kernel.evaluate("total"), "42");
  },

  "a cell awaits, and its counts go up by one": async (start) => {
    const kernel = await start();
    const first = await kernel.run("await new Promise((r) => setTimeout(() => r('late'), 50))");
    assert.equal(first.result, "'late'");
    const second = await kernel.run("1");
    assert.equal(second.reply.execution_count, first.reply.execution_count + 1);
    assert.equal(second.contents("execute_result")[0].execution_count, second.reply.execution_count);
  },

  "an error that is thrown has name, message and a traceback that names its line": async (start) => {
    const kernel = await start();
    const { reply, contents } = await kernel
      .run("const n = 1;\nthrow new RangeError('too far');")
      .then((execution) => ({ reply: execution.reply, contents: execution.contents("error") }));
    assert.equal(reply.status, "error");
    assert.deepEqual([reply.ename, reply.evalue], ["RangeError", "too far"]);
    assert.equal(contents.length, 1);
    assert.match(contents[0].traceback.join("\n"), /\b2\b/);
  },

  "a type error keeps the cell from running": async (start) => {
    const kernel = await start();
    const { reply, types } = await kernel.run('console.log("ran"); const n: number = "text";');
    assert.equal(reply.status, "error");
    assert.deepEqual(types, ["error"]);
    assert.match(reply.traceback.join("\n"), /not assignable to type/);
  },

  "completions, inspection, completeness and history answer": async (start) => {
    const kernel = await start();
    const { connection } = kernel;
    await kernel.evaluate("const fruit = { persimmon: 8 }");
    const code = "fruit.per";
    const complete = (await connection.requestComplete({ code, cursor_pos: code.length })).content;
    assert.deepEqual(
      [complete.matches, complete.cursor_start, complete.cursor_end],
      [["persimmon"], "fruit.".length, code.length],
    );
    const inspect = await connection.requestInspect({ code: "fruit", cursor_pos: 3, detail_level: 0 });
    assert.equal(inspect.content.found, true);
    assert.match(inspect.content.data["text/plain"], /persimmon: number/);
    const isComplete = await connection.requestIsComplete({ code: "if (true) {" });
    assert.equal(isComplete.content.status, "incomplete");
    const request = { hist_access_type: "tail", n: 1, raw: true, output: false };
    const { history } = (await connection.requestHistory(request)).content;
    assert.equal(history[0][2], "const fruit = { persimmon: 8 }");
  },

  "a display that is updated later changes under its id": async (start) => {
    const kernel = await start();
    const { messages } = await kernel.run(
      'display([1], { id: "d" }); await 0; display([2], { id: "d", update: true });',
    );
    const shown = messages.filter(({ content }) => content.data !== undefined);
    assert.deepEqual(
      shown.map(({ header, content }) => [header.msg_type, content.data["text/plain"]]),
      [
        ["display_data", "[ 1 ]"],
        ["update_display_data", "[ 2 ]"],
      ],
    );
    assert.ok(shown.every(({ content }) => content.transient.display_id === "d"));
  },

  "two clients of one kernel share its variables, and each sees the other's output": async (start) => {
    const first = await start();
    const second = first.clone();
    await second.connection.info;
    /** @type {any[]} */
    const seen = [];
    second.connection.iopubMessage.connect((/** @type {any} */ _, /** @type {any} */ message) => {
      seen.push(message);
    });
    await first.evaluate('const shared = 7; console.log("for both")');
    assert.equal(await second.evaluate("shared * 6"), "42");
    assert.ok(seen.some(({ content }) => content.text === "for both\n"));
    // Cells of both at once: each gets the answers to its own.
    const [one, two] = await Promise.all([first.run("'of the first'"), second.run("'of the second'")]);
    assert.deepEqual([one.result, two.result], ["'of the first'", "'of the second'"]);
    second.connection.dispose();
    assert.equal(await first.evaluate("shared"), "7");
  },
};
