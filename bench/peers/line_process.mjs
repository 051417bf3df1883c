// A peer in a process of its own that is given lines of `TOKENS ID ID …` and answers with two numbers.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Starts a program that says one line when it is ready: `measure` gives the seconds of a prompt and of tokens after it. */
export async function startLineProcess(program, programArguments) {
  const child = spawn(program, programArguments, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${program} ended`);
    return value;
  };
  await line();
  return {
    async measure({ prompt, tokens }) {
      child.stdin.write(`${[tokens, ...prompt].join(" ")}\n`);
      const [prefill, decode] = (await line()).split(" ").map(Number);
      return { prefill, decode };
    },
    stop: () => child.kill(),
  };
}
