import assert from "node:assert/strict";

/**
 * Answers each question of a cell with the next of these.
 * @param {import("./kernel.mjs").TestKernel} kernel
 * @param {string[]} answers
 */
function answerer(kernel, answers) {
  /** @type {any[]} */
  const asked = [];
  return {
    asked,
    onStdin: (/** @type {any} */ message) => {
      asked.push(message.content);
      const value = answers[asked.length - 1];
      kernel.connection.sendInputReply({ status: "ok", value }, message.header);
    },
  };
}

/** @type {Record<string, import("../services.mjs").Test>} */
export default {
  "input() resolves to what the reader typed": async (start) => {
    const kernel = await start();
    const { asked, onStdin } = answerer(kernel, ["Zoë", "s3cret"]);
    const { result } = await kernel.run(
      "[await input('Name? '), await input('Word? ', { password: true })].join()",
      { onStdin },
    );
    assert.equal(result, "'Zoë,s3cret'");
    assert.deepEqual(asked, [
      { prompt: "Name? ", password: false },
      { prompt: "Word? ", password: true },
    ]);
  },

  "prompt() returns what the reader typed": async (start) => {
    const kernel = await start();
    const { onStdin } = answerer(kernel, ["typed"]);
    assert.equal((await kernel.run("prompt('? ')", { onStdin })).result, "'typed'");
  },

  "a question that nobody can answer is an error": async (start) => {
    const kernel = await start();
    const { reply } = await kernel.run("await input('? ')");
    assert.equal(reply.status, "error");
    assert.equal(await kernel.evaluate("1"), "1");
  },
};
