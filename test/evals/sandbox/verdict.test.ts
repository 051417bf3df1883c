import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { longestResult, readResult } from "../../../src/evals/sandbox/verdict.js";

const nonce = "0123456789abcdef0123456789abcdef";
const read = (text: string) => readResult(Buffer.from(text), nonce);

describe("readResult", () => {
  it("knows the honest lines, in any pieces", () => {
    const whole = `${nonce} started\n${nonce} failed AssertionError (line 3)\n`;
    fc.assert(
      fc.property(fc.integer({ min: 0, max: whole.length }), (length) => {
        const firstLine = whole.indexOf("\n") + 1;
        const expected = length === whole.length ? "verdict" : length < firstLine ? "waiting" : "started";
        expect(read(whole.slice(0, length)).kind).toBe(expected);
      }),
    );
    expect(read(whole)).toEqual({ kind: "verdict", status: "failed", detail: "AssertionError (line 3)" });
    expect(read(`${nonce} started\n${nonce} passed \n`)).toEqual({
      kind: "verdict",
      status: "passed",
      detail: "",
    });
  });

  it.each([
    ["another nonce", `${nonce} started\n${nonce.replace("0", "1")} passed \n`],
    ["no nonce", `${nonce} started\npassed \n`],
    ["a line before", `hello\n${nonce} started\n`],
    ["a word before the verdict", `${nonce} started\nx${nonce} passed \n`],
    ["a line between", `${nonce} started\nx\n${nonce} passed \n`],
    ["a line behind", `${nonce} started\n${nonce} passed \nx`],
    ["a second verdict", `${nonce} started\n${nonce} failed \n${nonce} passed \n`],
    ["an unknown word", `${nonce} started\n${nonce} splendid \n`],
    ["a state that is not the interpreter's to say", `${nonce} started\n${nonce} timeout \n`],
    ["too much", `${nonce} started\n${nonce} passed ${"x".repeat(longestResult)}\n`],
    ["too much without an end", `${nonce} started\n${nonce} passed ${"x".repeat(longestResult)}`],
    ["nothing of ours", "\n"],
  ])("%s is a forgery", (_, text) => {
    expect(read(text)).toEqual({ kind: "forged" });
  });

  it("no bytes that a program can write without the nonce are a verdict", () => {
    const bytes = fc.oneof(fc.uint8Array(), fc.constantFrom("passed", " passed \n", "\n").map(Buffer.from));
    fc.assert(
      fc.property(fc.array(bytes, { minLength: 1 }), (pieces) => {
        const started = Buffer.from(`${nonce} started\n`);
        expect(readResult(Buffer.concat([started, ...pieces]), nonce).kind).not.toBe("verdict");
      }),
    );
  });

  it("what a program says cannot steer a terminal", () => {
    const state = read(`${nonce} started\n${nonce} failed X: \u001b[2J\r\u0007\u202eabc\u2028 ü 🍣\n`);
    expect(state).toEqual({
      kind: "verdict",
      status: "failed",
      detail: "X: \ufffd[2J\ufffd\ufffd\ufffdabc\ufffd ü 🍣",
    });
  });
});
