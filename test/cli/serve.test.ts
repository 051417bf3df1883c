import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { createProgram } from "../../src/cli/program.js";
import { servedName } from "../../src/cli/serve.js";
import { repositoryRoot } from "../support/shared.js";

const main = join(repositoryRoot, "dist", "src", "cli", "main.js");
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** `persimmon serve` as a process of its own. */
function serve(flags: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [main, "serve", ...flags], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let errors = "";
  child.stderr.on("data", (part) => {
    errors += part;
  });
  const ended = new Promise<{ code: number | null; errors: string }>((resolve) =>
    child.once("close", (code) => resolve({ code, errors })),
  );
  const ready = new Promise<{ url: string; model: string }>((resolve, reject) => {
    child.stdout.once("data", (line) => resolve(JSON.parse(String(line))));
    child.once("close", () => reject(new Error(errors)));
  });
  ready.catch(() => {});
  return { child, ended, ready };
}

describe("the process", () => {
  it.each(["SIGTERM", "SIGINT"] as const)("%s lets the request finish, and ends with 0", async (signal) => {
    const { child, ended, ready } = serve(["--port", "0", "--json"], { PERSIMMON_TOKEN: "secret" });
    const { url, model } = await ready;
    expect(model).toBe("persimmon-demo");
    const headers = { "Content-Type": "application/json", Authorization: "Bearer secret" };
    expect((await fetch(`${url}/v1/models`)).status).toBe(401);
    const body = JSON.stringify({
      model,
      prompt: "Once upon a time",
      max_tokens: 600,
      n: 8,
      seed: 1,
      stream: true,
    });
    const response = await fetch(`${url}/v1/completions`, { method: "POST", headers, body });
    child.kill(signal);
    const events = (await response.text()).trim().split("\n\n");
    expect(events.at(-1)).toBe("data: [DONE]");
    expect(await ended).toEqual({ code: 0, errors: "finishing 1 requests; once more ends at once\n" });
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "a second %s ends it at once, by the signal itself",
    async (signal) => {
      const { child, ready } = serve(["--port", "0", "--json"]);
      const { url, model } = await ready;
      const body = JSON.stringify({
        model,
        prompt: "Once upon a time",
        max_tokens: 1500,
        n: 8,
        seed: 1,
        stream: true,
      });
      const headers = { "Content-Type": "application/json" };
      await fetch(`${url}/v1/completions`, { method: "POST", headers, body });
      const ended = new Promise((resolve) => child.once("exit", (code, by) => resolve([code, by])));
      child.kill(signal);
      await new Promise((resolve) => child.stderr.once("data", resolve));
      child.kill(signal);
      expect(await ended).toEqual([null, signal]);
    },
  );

  it("says which port is none before it loads", async () => {
    const { ended } = serve(["--port", "99999", "--model", "/nowhere"]);
    expect(await ended).toEqual({
      code: 1,
      errors: "error [OPTION_INVALID] serve: --port must be a whole number from 0 to 65535, got 99999\n",
    });
  });

  it("does not start for other machines without a token, and says so before it loads", async () => {
    const { ended } = serve(["--host", "0.0.0.0", "--model", "/nowhere"]);
    const { code, errors } = await ended;
    expect(code).toBe(1);
    expect(errors).toMatch(
      /^error \[TOKEN_REQUIRED\] other machines can reach 0\.0\.0\.0, so requests need a token/,
    );
  });
});

it("is listed in the help, and lists its options", () => {
  const program = createProgram();
  expect(program.helpInformation()).toMatch(/^ {2}serve\b/m);
  const help = program.commands.find((command) => command.name() === "serve")?.helpInformation() ?? "";
  for (const option of ["host", "port", "token", "name", "batch", "kv-tokens", "queue", "max-new-tokens"]) {
    expect(help).toMatch(new RegExp(`^ +--${option} `, "m"));
  }
});

it.each([
  [undefined, "persimmon-demo"],
  ["adept/persimmon-8b-chat", "adept/persimmon-8b-chat"],
  ["/models/persimmon-8b-chat/", "persimmon-8b-chat"],
  ["./models/demo", "demo"],
])("clients call %s %s", (model, name) => expect(servedName(model)).toBe(name));
