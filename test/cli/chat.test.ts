import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { patience } from "../serve/running_server.js";
import { repositoryRoot } from "../support/shared.js";

const main = join(repositoryRoot, "dist", "src", "cli", "main.js");

/** `persimmon chat` over lines of standard input. */
function chat() {
  const child = spawn(process.execPath, [main, "chat", "-n", "1500"], { stdio: ["pipe", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (part) => {
    output += part;
  });
  const ended = new Promise((resolve) =>
    child.once("close", (code, signal) => resolve({ code, signal, output })),
  );
  const shown = (pattern: RegExp) => vi.waitUntil(() => pattern.test(output), patience);
  return { child, ended, shown };
}

it.each(["/quit", "/exit"])("%s leaves, and is not asked", async (word) => {
  const { child, ended } = chat();
  child.stdin.write(`${word}\nnot asked\n`);
  expect(await ended).toEqual({ code: 0, signal: null, output: "" });
});

it("Ctrl-C twice ends an answer and the program, with 130", async () => {
  const { child, ended, shown } = chat();
  child.stdin.write("Question: Which of these animals has four legs?\n");
  await shown(/./);
  child.kill("SIGINT");
  // Two signals at once would be one.
  await shown(/\(interrupted\)|\(Ctrl-C again to leave\)/);
  child.kill("SIGINT");
  expect(await ended).toMatchObject({ code: 130, signal: null });
});
