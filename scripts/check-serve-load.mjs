/**
 * Has 64 clients ask `persimmon serve` at once, round after round, with all kinds of requests, and fails on an error, an answer that
 * differs from that of the first round, or memory that grows:
 *
 *     node scripts/check-serve-load.mjs [--model PATH] [--clients 64] [--rounds 6]
 */
import { execFileSync, spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./bootstrap/paths.mjs";
import { exitOnSignal } from "./run-notebooks/exit-on-signal.mjs";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: join(root, "models", "demo") },
    clients: { type: "string", default: "64" },
    rounds: { type: "string", default: "6" },
  },
});
const clients = Number(values.clients);
const rounds = Number(values.rounds);

/** Rounds in which caches fill; the memory after them is what later rounds are compared with. */
const warmUp = 2;
/** What memory may vary by: a heap grows and shrinks between two collections. */
const slackMegabytes = 48;

exitOnSignal();
const persimmon = join(root, "dist", "src", "cli", "main.js");
const flags = ["serve", "--model", values.model, "--name", "load", "--port", "0", "--json"];
const server = spawn(process.execPath, [persimmon, ...flags], { stdio: ["ignore", "pipe", "inherit"] });
process.on("exit", () => server.kill("SIGKILL"));
/** @type {string} */
const url = await new Promise((resolve, reject) => {
  server.stdout.once("data", (/** @type {Buffer} */ line) => resolve(JSON.parse(line.toString()).url));
  server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
});

const residentMegabytes = () =>
  Number(execFileSync("ps", ["-o", "rss=", "-p", String(server.pid)], { encoding: "utf8" })) / 1024;

/** @param {string} method @param {string} path @param {object} body */
async function ask(method, path, body) {
  const response = await fetch(url + path, {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text;
}

/** A request of each kind: its answer as text, and how many tokens were made. Each client has its own prompt and seed. */
const kinds = [
  async (/** @type {number} */ client) => {
    const body = {
      prompts: [`human: Tell me about ${client} foxes.\n\nadept:`],
      tokens_to_generate: 32,
      random_seed: client,
    };
    const { text } = JSON.parse(await ask("PUT", "/api", body));
    return { answer: text[0], tokens: 32 };
  },
  async (/** @type {number} */ client) => {
    const body = {
      model: "load",
      prompt: `Once upon a time, ${client} friends`,
      max_tokens: 48,
      seed: client,
    };
    const { choices, usage } = JSON.parse(await ask("POST", "/v1/completions", body));
    return { answer: choices[0].text, tokens: usage.completion_tokens };
  },
  async (/** @type {number} */ client) => {
    const body = {
      model: "load",
      prompt: `The ${client} keys were lost. `.repeat(20),
      echo: true,
      logprobs: 1,
      max_tokens: 1,
      temperature: 0,
    };
    const { choices, usage } = JSON.parse(await ask("POST", "/v1/completions", body));
    return { answer: JSON.stringify(choices[0].logprobs.token_logprobs), tokens: usage.completion_tokens };
  },
  async (/** @type {number} */ client) => {
    const messages = [{ role: "user", content: `What is ${client} and two?` }];
    const body = {
      model: "load",
      messages,
      max_tokens: 48,
      seed: client,
      stream: true,
      stream_options: { include_usage: true },
    };
    const events = (await ask("POST", "/v1/chat/completions", body)).trim().split("\n\n");
    if (events.pop() !== "data: [DONE]") throw new Error("a stream ended without [DONE]");
    const chunks = events.map((event) => JSON.parse(event.slice("data: ".length)));
    const answer = chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
    return { answer, tokens: chunks.at(-1).usage.completion_tokens };
  },
];

let slowestHealth = 0;
const health = setInterval(async () => {
  const started = performance.now();
  const response = await fetch(`${url}/healthz`).catch(() => undefined);
  if (response?.ok) slowestHealth = Math.max(slowestHealth, performance.now() - started);
}, 100);

const quantile = (/** @type {number[]} */ sorted, /** @type {number} */ q) =>
  sorted[Math.ceil(q * sorted.length) - 1];
/** @type {string[] | undefined} */
let expected;
/** @type {string[]} */
const faults = [];
/** @type {number[]} */
const memory = [];
console.log(`${clients} clients at once, ${rounds} rounds, server at ${residentMegabytes().toFixed(0)} MB`);
console.log("round     p50 s     p95 s  tokens/s  memory MB");
for (let round = 1; round <= rounds; round++) {
  const began = performance.now();
  const results = await Promise.all(
    Array.from({ length: clients }, async (_, client) => {
      const started = performance.now();
      const result = await kinds[client % kinds.length](client).catch((error) => {
        faults.push(`round ${round}, client ${client}: ${error.message}`);
        return { answer: "", tokens: 0 };
      });
      return { ...result, seconds: (performance.now() - started) / 1000 };
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const sorted = results.map((one) => one.seconds).sort((a, b) => a - b);
  const tokens = results.reduce((sum, one) => sum + one.tokens, 0);
  memory.push(residentMegabytes());
  const cells = [
    quantile(sorted, 0.5).toFixed(2),
    quantile(sorted, 0.95).toFixed(2),
    (tokens / seconds).toFixed(0),
  ];
  const line = [...cells, memory.at(-1)?.toFixed(0)].map((cell) => String(cell).padStart(8)).join("  ");
  console.log(`${String(round).padStart(5)}  ${line}`);
  const answers = results.map(({ answer }) => answer);
  expected ??= answers;
  for (const [client, answer] of answers.entries()) {
    if (answer !== expected[client])
      faults.push(`round ${round}, client ${client}: another answer than in round 1`);
  }
}
clearInterval(health);
console.log(`slowest /healthz meanwhile: ${slowestHealth.toFixed(0)} ms`);
const growth = memory[memory.length - 1] - memory[Math.min(warmUp, memory.length) - 1];
console.log(`memory after round ${warmUp} and at the end: ${growth.toFixed(0)} MB apart`);
if (growth > slackMegabytes) faults.push(`memory grew by ${growth.toFixed(0)} MB`);

const ended = new Promise((resolve) => server.once("exit", resolve));
server.kill("SIGTERM");
const code = await ended;
if (code !== 0) faults.push(`the server ended with ${code} after SIGTERM`);
for (const fault of faults.slice(0, 10)) console.log(fault);
console.log(faults.length === 0 ? "no error, and the server stopped with 0" : `${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
